"""What one device model may send and be told, as JSON Schema: made of its profile.

Here: the fields of a profile as schemas. Not here: the fields (hall_profiles), and the envelope
around them, which is the same for every model (device_side.py).
"""

from collections.abc import Mapping
from functools import cache

from hall_profiles import COMMON_DESIRED, COMMON_EVENTS, SAFE_MODE, Profile, builtin_names, load
from hall_profiles.fields import (
    ArrayField,
    BooleanField,
    DataField,
    IntegerField,
    ObjectField,
    StringField,
)

from hall_gateway.contract.vocabulary import spoken, titled
from hall_gateway.state import Json


@cache
def profiles() -> tuple[Profile, ...]:
    """The models that ship; reading one takes a while. Raises hall_profiles.ProfileError."""
    return tuple(load(name) for name in builtin_names())


def profile_schema(profile: Profile) -> Json:
    """The data of each event, the desired state and what it shows, of one model.

    One schema for an object {"events": {kind: data}, "desired": …, "shows": …}: each part is
    under `properties`, to be taken by its JSON Pointer.
    """
    events = {
        kind: {**spoken(event.title), **_object(event.data)}
        for kind, event in {**COMMON_EVENTS, **profile.events}.items()
    }
    # Every device may say so beside the faults of its own.
    safe_mode: Json = {**spoken(SAFE_MODE.title), **_object(SAFE_MODE.data)}
    own = events.get("fault")
    events["fault"] = {"anyOf": [own, safe_mode]} if own else safe_mode
    parts: Json = {"events": {"type": "object", "properties": events}}
    if profile.desired:
        parts["desired"] = desired_schema(profile)
    parts["shows"] = _object(profile.shows)
    return {
        **spoken(profile.title),
        "description": f"{profile.role} over {profile.transport}, version {profile.version}: the "
        "data of its events by kind, the desired state that it takes, and what it shows.",
        "type": "object",
        "properties": parts,
    }


def desired_schema(profile: Profile) -> Json:
    """The desired state, `rev` included; of a display, each view with the fields that it has."""
    fields = {**COMMON_DESIRED, **profile.desired}
    if not profile.views:
        return _object(fields)
    in_views = {name for view in profile.views.values() for name in (*view.needs, *view.may)}
    options: list[Json] = []
    for name, view in profile.views.items():
        here = {f: d for f, d in fields.items() if f not in in_views or f in view.needs}
        may = {f: fields[f].model_copy(update={"optional": True}) for f in view.may}
        option = _object({**here, **may})
        option["properties"]["view"] = {**titled("view"), "type": "string", "const": name}
        options.append(option)
    return {"anyOf": options}


def desired_of_role(role: str) -> Json:
    """What fits any model of a role: as its models that ship have it."""
    found: list[Json] = []
    for profile in profiles():
        schema = desired_schema(profile) if profile.role == role else None
        if schema is not None and schema not in found:
            found.append(schema)
    return found[0] if len(found) == 1 else {"anyOf": found}


def _object(fields: Mapping[str, DataField]) -> Json:
    return {
        "type": "object",
        "properties": {name: _field(name, field) for name, field in fields.items()},
        "required": [name for name, field in fields.items() if not field.optional],
    }


def _field(name: str, field: DataField) -> Json:
    schema = {**titled(name), **_value(field)}
    if field.title is not None:
        schema.update(spoken(field.title))
    if field.nullable:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    return schema


def _value(field: DataField) -> Json:
    match field:
        case IntegerField():
            unit = {} if field.unit is None else {"x-unit": field.unit}
            return {"type": "integer", **unit, "minimum": field.min, "maximum": field.max}
        case StringField():
            if field.enum is not None:
                return {"type": "string", "enum": field.enum}
            limit = {"minLength": field.min_chars, "maxLength": field.max_chars}
            return {"type": "string", **limit}
        case BooleanField():
            return {"type": "boolean"}
        case ObjectField():
            return _object(field.fields)
        case ArrayField():
            return {"type": "array", "items": _value(field.items), "maxItems": field.max_items}
