"""Events, desired state and shown state: are they what the role's code sends and takes?

Here: data fields against the role's contract, and events against the journal's room. Not here: the
payloads of a running device (`payloads`).
"""

import re

from hall_profiles.common import COMMON_DESIRED, COMMON_EVENTS, PAYLOAD_BYTES
from hall_profiles.fields import (
    FIELD_TYPES,
    SUFFIX_UNITS,
    ArrayField,
    DataField,
    IntegerField,
    ObjectField,
    StringField,
    Title,
    widest,
)
from hall_profiles.model import Event, View
from hall_profiles.roles import FAULT, Fields, Role
from hall_profiles.shape import checked, compare_names, mapping, show, suggest
from hall_profiles.source import FieldPath, Source, Value

_NAME = re.compile(r"[a-z][a-z0-9_]{0,15}")


def check_events(source: Source, data: Value, role: Role | None) -> None:
    """Notes every event kind that the role does not have, lacks, or cannot journal."""
    known = {**role.events, "fault": FAULT} if role else {}
    events = mapping(source, data, ("events",), known)
    if events is None:
        return
    for kind in COMMON_EVENTS:
        if kind in events:
            source.add(("events", kind), "is an event of every device", "leave it out here")
    own = {kind: event for kind, event in events.items() if kind not in COMMON_EVENTS}
    if role:
        compare_names(
            source, ("events",), own, role.events, "is no event of this role",
            lambda _: "a title and data, because the role journals it", optional=("fault",),
        )  # fmt: skip
    for kind, event in own.items():
        if role is None or kind in known:
            _check_event(source, event, ("events", kind), known.get(kind))


def check_desired(source: Source, data: Value, views: Value, role: Role | None) -> None:
    """Notes what is wrong with the desired state's fields, and with a display's views of them."""
    contract = role.desired if role else None
    desired = mapping(source, data, ("desired",), contract or ())
    if desired is None:
        return
    for name in COMMON_DESIRED:
        if name in desired:
            source.add(("desired", name), "goes with every desired state", "leave it out here")
    desired = {name: field for name, field in desired.items() if name not in COMMON_DESIRED}
    fields = check_data(source, desired, ("desired",), contract)
    if "view" in desired:
        _check_views(source, views, desired, fields.get("view"))
    elif views is not None:
        source.add(("views",), "is there without a field desired.view", "leave it out")


def check_data(
    source: Source,
    data: Value,
    path: FieldPath,
    contract: Fields | None,
    optional: Fields | None = None,
) -> dict[str, DataField]:
    """The fields at `path` that are right; `contract` maps the names there must be to types, and
    `optional` those that there may be."""
    fields: dict[str, DataField] = {}
    specs = mapping(source, data, path, contract or ())
    if specs is None:
        return fields
    if contract is not None:
        compare_names(
            source, path, specs, contract, "is no field of this role",
            lambda name: f"a field of type {_type_name(contract[name])}", optional=optional or (),
        )  # fmt: skip
    known = None if contract is None else {**contract, **(optional or {})}
    for name, spec in specs.items():
        here = (*path, name)
        if known is not None and name not in known:
            continue
        if not _NAME.fullmatch(name):
            source.add(here, "is no name of a field", "a-z, then at most 15 of a-z, 0-9, _")
        elif field := _check_field(source, spec, here, known[name] if known else None):
            fields[name] = field
    return fields


def _check_event(source: Source, data: Value, path: FieldPath, contract: Fields | None) -> None:
    event = mapping(source, data, path, Event.model_fields)
    if event is None:
        return
    sections = Event.model_fields
    compare_names(
        source, path, event, sections, "is not a field here",
        lambda name: sections[name].description or "",
    )  # fmt: skip
    if "title" in event:
        checked(source, Title, event["title"], (*path, "title"))
    if "data" not in event:
        return
    before = len(source.problems)
    fields = check_data(source, event["data"], (*path, "data"), contract)
    if len(source.problems) == before:
        text = str(path[-1]) + widest(fields)
        size = len(text.encode())
        if size > PAYLOAD_BYTES:
            what = f"takes {size} bytes at worst: {_cut(text)}"
            right = f"at most {PAYLOAD_BYTES}; narrow a range or shorten a word"
            source.add((*path, "data"), what, right)


def _cut(text: str) -> str:
    """A payload as it is journalled, cut where a reader has seen enough."""
    return text if len(text) <= 70 else text[:67] + "..."


def _check_field(
    source: Source, data: Value, path: FieldPath, wanted: str | Fields | None
) -> DataField | None:
    spec = mapping(source, data, path, ("type", "..."))
    if spec is None:
        return None
    kind = spec.get("type")
    types = [_type_name(wanted)] if wanted else list(FIELD_TYPES)
    if kind not in types:
        what = "is missing" if "type" not in spec else f"is {show(kind)}"
        right = f"{types[0]}, as the role's code has it" if wanted else suggest(str(kind), types)
        source.add((*path, "type"), what, right)
        return None
    if kind == "object":
        return _check_object(source, spec, path, None if isinstance(wanted, str) else wanted)
    field = checked(source, FIELD_TYPES[str(kind)], spec, path)
    if isinstance(field, IntegerField):
        return field if _good_integer(source, field, path) else None
    if isinstance(field, ArrayField):
        return field if _good_integer(source, field.items, (*path, "items")) else None
    if isinstance(field, StringField):
        return field if _good_string(source, field, path) else None
    return field


def _type_name(wanted: str | Fields) -> str:
    return wanted if isinstance(wanted, str) else "object"


def _check_object(
    source: Source, spec: dict[str, Value], path: FieldPath, contract: Fields | None
) -> DataField | None:
    shell = {**spec, "fields": {}} if "fields" in spec else spec
    field = checked(source, ObjectField, shell, path)
    if "fields" not in spec:
        return None
    inner = check_data(source, spec["fields"], (*path, "fields"), contract)
    return field.model_copy(update={"fields": inner}) if field else None


def _good_integer(source: Source, field: IntegerField, path: FieldPath) -> bool:
    before = len(source.problems)
    if field.min > field.max:
        source.add((*path, "min"), f"is {field.min}, above max", f"at most {field.max}")
    name = str(path[-1])
    unit = next((u for suffix, u in SUFFIX_UNITS.items() if name.endswith(suffix)), field.unit)
    if field.unit != unit:
        what = f"is {field.unit}" if field.unit else "is missing"
        source.add((*path, "unit"), what, f"{unit}, as the name {name} says")
    return len(source.problems) == before


def _good_string(source: Source, field: StringField, path: FieldPath) -> bool:
    before = len(source.problems)
    if (field.enum is None) == (field.max_chars is None):
        there = "neither enum nor max_chars" if field.enum is None else "both enum and max_chars"
        source.add(path, f"has {there}", "a list of words, or a length, not both")
    elif field.max_chars is not None and field.min_chars > field.max_chars:
        what = f"is {field.min_chars}, above max_chars"
        source.add((*path, "min_chars"), what, f"at most {field.max_chars}")
    for index, word in enumerate(field.enum or ()):
        if word in (field.enum or ())[:index]:
            source.add((*path, "enum", index), f"is {show(word)} again", "each word once")
        elif not _NAME.fullmatch(word):
            what = f"is {show(word)}"
            source.add((*path, "enum", index), what, "a-z, then at most 15 of a-z, 0-9, _")
    return len(source.problems) == before


def _check_views(
    source: Source, data: Value, desired: dict[str, Value], view: DataField | None
) -> None:
    if not isinstance(view, StringField) or view.enum is None:
        return
    if data is None:
        source.add(("views",), "is missing", f"what each view needs: {', '.join(view.enum)}")
        return
    views = mapping(source, data, ("views",), view.enum)
    if views is None:
        return
    compare_names(
        source, ("views",), views, view.enum, "is not in desired.view",
        lambda _: "{} when the view needs nothing",
    )  # fmt: skip
    names = [name for name in desired if name != "view"]
    for name in view.enum:
        path = ("views", name)
        if name in views and (parsed := checked(source, View, views[name], path)):
            for list_name, fields in (("needs", parsed.needs), ("may", parsed.may)):
                for index, field in enumerate(fields):
                    if field not in names:
                        where = (*path, list_name, index)
                        what = f"is {show(field)}, no field of desired"
                        source.add(where, what, suggest(field, names))
