"""`hall.floor.*` and `hall.rain.*`: water on the floor and in front of the door.

Here: the data of these events. Not here: how a floor is judged (firmware/hall/roles/wet_floor.py).
"""

from typing import Annotated

from pydantic import Field

from hall_gateway.contract.devices import OwnFault
from hall_gateway.contract.words import Ohms, Told, event, words

_PLACES = ("window", "zone")


class Floor(Told):
    """The floor has become wet, or has been dry for its time."""

    ohms: Ohms


class FloorEscalated(Told):
    """The floor is wet still, and for a while nobody pressed the button at the sensor."""

    minutes: Annotated[
        int, Field(ge=0, le=99_999), words("积水时长", "Wet for", "since it became wet", "min")
    ]


class Nothing(Told):
    """No data: the type and the subject say all."""


TYPES = (
    event(
        "hall.floor.wet",
        "地面湿滑",
        "Floor wet",
        Floor,
        "the floor became wet; said again after a fault and after a start of the sensor",
        _PLACES,
    ),
    event("hall.floor.dry", "地面已干", "Floor dry", Floor, "it was dry for its time", _PLACES),
    event(
        "hall.floor.fault",
        "地面传感器故障",
        "Floor sensor's fault",
        OwnFault,
        "the sensor cannot tell wet from dry",
        _PLACES,
    ),
    event(
        "hall.floor.escalated",
        "积水未处理",
        "Floor still wet",
        FloorEscalated,
        "half an hour passed and nobody came; again after each further half hour",
        _PLACES,
    ),
    event(
        "hall.floor.attended",
        "保洁已到",
        "Cleaner is there",
        Nothing,
        "somebody pressed the button at the sensor; the floor is wet until `hall.floor.dry`",
        _PLACES,
    ),
    event("hall.rain.started", "下雨", "Rain", Nothing, "the rain sensor became wet", _PLACES),
    event(
        "hall.rain.ended",
        "雨停",
        "Rain is over",
        Nothing,
        "it has not rained for as long as a floor needs to count as dry",
        _PLACES,
    ),
)
