"""The envelope: a CloudEvents 1.0 structured JSON, as JSON Schema for one type.

Here: the attributes around `data`. Not here: writing one (events.py), and the data (the nouns).
"""

from hall_gateway.contract.schema import description_of, schema_of
from hall_gateway.contract.vocabulary import spoken, titled
from hall_gateway.contract.words import TIME, About, EventType
from hall_gateway.state import Json

_ID = "[a-z0-9][a-z0-9-]{0,31}"
_SUBJECTS: dict[About, str] = {"window": "window/.{1,8}", "zone": f"zone/{_ID}", "hall": "hall"}


def envelope(event: EventType) -> Json:
    """The schema of a whole CloudEvent of this type."""
    about = "|".join(_SUBJECTS[each] for each in event.about)
    attributes: dict[str, Json] = {
        "specversion": {"type": "string", "const": "1.0"},
        "id": {
            "description": "`device/epoch-hex/seq`: make what you do idempotent on it",
            "type": "string",
            "pattern": f"^{_ID}/[0-9a-f]{{8}}/[1-9][0-9]{{0,9}}$",
        },
        "source": {
            "description": "`/hall/{hall}/{device}`; the device is `gateway` for what the gateway "
            "itself has to say",
            "type": "string",
            "pattern": f"^/hall/{_ID}/{_ID}$",
        },
        "type": {"type": "string", "const": event.name},
        "subject": {
            "description": "where: "
            + ", ".join(f"`{_SUBJECT_WORDS[each]}`" for each in event.about),
            "type": "string",
            "pattern": f"^({about})$" if len(event.about) > 1 else f"^{about}$",
        },
        "time": {
            "description": "RFC 3339, UTC, with milliseconds: when it happened",
            "type": "string",
            "format": "date-time",
            "pattern": TIME,
        },
        "datacontenttype": {"type": "string", "const": "application/json"},
        "clockquality": {
            "description": "synced: `time` is a set clock's; estimated: the gateway worked it out",
            "type": "string",
            "enum": ["synced", "estimated"],
        },
        "data": schema_of(event.data),
    }
    for name, attribute in attributes.items():
        attribute.update(titled(name))
    return {
        **spoken(event.title),
        "description": f"{description_of(event.data)} Sent: {event.when}.",
        "type": "object",
        "properties": attributes,
        "required": list(attributes),
    }


_SUBJECT_WORDS: dict[About, str] = {
    "window": "window/{window}",
    "zone": "zone/{zone}",
    "hall": "hall",
}
