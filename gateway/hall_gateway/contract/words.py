"""The words that payloads are made of: each with its title in both languages, unit and range.

Here: annotated types that many models share, and the base of what the gateway sends. Not here: the
payloads themselves, each in the module of its noun.

A title says what people call it, `x-title` says so in each language apart, and `x-unit` is the
unit of a number. What a receiver may rely on stands in the description.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from hall_profiles.fields import Title
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema

from hall_gateway import models

About = Literal["window", "zone", "hall"]
"""What the `subject` of a CloudEvent can be: `window/{window}`, `zone/{zone}` or `hall`."""


Missing = SkipJsonSchema[None]
"""Of a field that is left out when there is nothing to say; it is never null."""


class Told(BaseModel):
    """What the gateway sends. A field that is not in the model is a defect of the gateway; a
    receiver must let it pass all the same, for a newer gateway may have it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


@dataclass(frozen=True)
class EventType:
    """A CloudEvent type: what people call it, the model of its `data`, and its subjects.

    `when` says in one sentence when it is sent.
    """

    name: str
    title: Title
    data: type[BaseModel]
    when: str
    about: tuple[About, ...] = ("window",)


def event(
    name: str,
    zh: str,
    en: str,
    data: type[BaseModel],
    when: str,
    about: tuple[About, ...] = ("window",),
) -> EventType:
    """An EventType, for the tables of the nouns' modules."""
    return EventType(name, Title(zh=zh, en=en), data, when, about)


def words(zh: str, en: str, description: str | None = None, unit: str | None = None) -> FieldInfo:
    """The title of a field, what it means, and the unit of its number."""
    extra: dict[str, object] = {"x-title": {"zh": zh, "en": en}}
    if unit is not None:
        extra["x-unit"] = unit
    schema: FieldInfo = Field(
        title=f"{zh} {en}",
        description=description,
        json_schema_extra=extra,  # pyright: ignore[reportArgumentType] (JSON, as pydantic takes it)
    )
    return schema


Ticket = Annotated[models.Ticket, words("票号", "Ticket", "as the hall system called it")]
Window = Annotated[
    str, Field(min_length=1, max_length=8), words("窗口", "Window", "its id in the settings")
]
Staff = Annotated[
    models.Name, words("员工", "Clerk", "the id that the hall system or a login gave")
]
Business = Annotated[models.Name, words("业务", "Business", "as the hall system called it")]
Device = Annotated[models.DeviceId, words("设备", "Device", "its id in the settings")]

Ms = Annotated[int, Field(ge=0)]
"""A duration in ms; never negative, for a clock that was set back counts as 0."""
Count = Annotated[int, Field(ge=0)]
UnixMs = Annotated[int, Field(ge=0, le=253402300799999)]
Queued = Annotated[Ms, words("等候", "Queued", "from the take of the ticket to now", "ms")]
Waited = Annotated[
    Ms, words("到窗用时", "Waited", "from the call to the start of the service", "ms")
]
Served = Annotated[Ms, words("办理", "Served", "from the start of the service to its end", "ms")]
TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"
Time = Annotated[str, Field(pattern=TIME, json_schema_extra={"format": "date-time"})]
"""RFC 3339 in UTC with milliseconds, e.g. 2026-11-21T08:00:00.000Z."""
EventId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}/[0-9a-f]{8}/[1-9][0-9]{0,9}$")]
"""Of a CloudEvent: `device/epoch-hex/seq`."""

Key = Annotated[models.Key, words("按键", "Key", "from 1, as the device profile counts its keys")]
Mark = Annotated[
    int,
    Field(ge=1, le=5),
    words("评分", "Mark", "5 very satisfied, 4, 3 neutral, 2, 1 very dissatisfied"),
]
Session = Annotated[
    int,
    Field(ge=1, le=10**10 - 1),
    words("评价会话", "Rating session", "one per keypad; null where nobody asked"),
]
Press = Annotated[
    EventId,
    words("按键编号", "Press", "the id of the CloudEvent that told the press first"),
]
Ohms = Annotated[models.Ohms, words("电阻", "Resistance", "of the probe, as measured", "ohm")]
By = Annotated[Literal["card", "pin"], words("方式", "By", "a card or a PIN at the reader")]
