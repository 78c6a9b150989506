"""Events and desired states against the profile of their device.

Here: whether a payload's data is what its profile promises. Not here: the envelope around it
(topics, epoch, seq), which is the gateway's.
"""

from typing import cast

from hall_profiles.common import COMMON_DESIRED, COMMON_EVENTS, SAFE_MODE
from hall_profiles.errors import PayloadError
from hall_profiles.fields import DataField, mismatch
from hall_profiles.model import Profile


def validate_event(profile: Profile, kind: str, data: object) -> None:
    """Checks the `data` of an event that a device of this profile sent.

    A field that the profile does not have is let pass: the firmware may be newer than the profile.
    Takes a few microseconds. Raises PayloadError with one line that names the kind, the field, its
    value and what would be right.
    """
    event = profile.events.get(kind) or COMMON_EVENTS.get(kind)
    if kind == "fault" and _code(data) == "safe_mode":
        event = SAFE_MODE
    if event is None:
        kinds = ", ".join([*profile.events, *COMMON_EVENTS])
        raise PayloadError(f"{profile.name} has no event {kind!r}; right: one of {kinds}")
    wrong = mismatch(event.data, data, closed=False)
    if wrong:
        raise PayloadError(f"{profile.name} event {kind}: {wrong}")
    if kind == "gap" and isinstance(data, dict) and data["from"] > data["to"]:
        raise PayloadError(
            f"{profile.name} event gap: from {data['from']} is after to {data['to']}; "
            "right: from not above to"
        )


def _code(data: object) -> object:
    return cast("dict[str, object]", data).get("code") if isinstance(data, dict) else None


def validate_desired(profile: Profile, desired: object) -> None:
    """Checks a desired state, `rev` included, before it is sent to a device of this profile.

    A display's state must have the fields that its view needs and no others. Raises PayloadError
    with one line that names the field, its value and what would be right.
    """
    if not profile.desired:
        raise PayloadError(f"{profile.name} takes no desired state; right: send none")
    fields = {**COMMON_DESIRED, **profile.desired}
    if profile.views and isinstance(desired, dict):
        view = cast("dict[str, object]", desired).get("view")
        fields = _fields_of_view(profile, str(view), fields)
    wrong = mismatch(fields, cast("object", desired))
    if wrong:
        raise PayloadError(f"{profile.name} desired: {wrong}")


def _fields_of_view(
    profile: Profile, name: str, fields: dict[str, DataField]
) -> dict[str, DataField]:
    """The fields that a view needs or may have; all of them when there is no such view."""
    view = profile.views.get(name)
    if view is None:
        return fields
    in_views = {name for v in profile.views.values() for name in (*v.needs, *v.may)}
    here: dict[str, DataField] = {}
    for name, field in fields.items():
        if name in view.may:
            here[name] = field.model_copy(update={"optional": True})
        elif name in view.needs or name not in in_views:
            here[name] = field
    return here
