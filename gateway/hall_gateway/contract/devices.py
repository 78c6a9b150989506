"""`hall.device.*`: the devices themselves, and what went wrong with them or with their events.

Here: the data of these events. Not here: what a device reports of itself (device_side.py).
"""

from typing import Annotated, Literal

from pydantic import Field, RootModel

from hall_gateway import models
from hall_gateway.contract.words import Device, Told, UnixMs, event, words

Lost = Annotated[int, Field(ge=1), words("丢失", "Lost", "exactly so many", "events")]
Epoch = Annotated[models.U32, words("纪元", "Epoch", "of the device's journal")]
_SEQ = "of the device's event"


class DeviceStarted(Told):
    """A device has started, and why."""

    cause: Annotated[
        models.Word,
        words("原因", "Cause", "power_on, hard, watchdog, deep_sleep or soft"),
    ]


class DevicePresence(Told):
    """A device has come, or gone."""

    device: Device


class OwnFault(Told):
    """What a device found wrong with itself."""

    code: Annotated[
        models.Word, words("代码", "Code", "e.g. key_stuck, beam_stuck, probe_open, safe_mode")
    ]
    value: Annotated[
        int | float | Annotated[str, Field(max_length=32)] | None,
        words("数值", "Value", "what belongs to the code: a key's number, kΩ, an error number"),
    ]


class JournalOverflow(Told):
    """A device's flash ring overflowed in a very long outage: events are lost, and counted."""

    device: Device
    code: Literal["journal_overflow"]
    epoch: Epoch
    first: Annotated[models.Seq, words("起始序号", "First", _SEQ)] = Field(alias="from")
    last: Annotated[models.Seq, words("结束序号", "Last", _SEQ)] = Field(alias="to")
    lost: Lost


class JournalReplaced(Told):
    """A device has a new journal while events of its old one were still awaited."""

    device: Device
    code: Literal["journal_replaced"]
    epoch: Epoch
    lost: Lost


class IdentityConflict(Told):
    """Two different events with one identity: the second is kept in quarantine."""

    device: Device
    code: Literal["identity_conflict"]
    epoch: Epoch
    seq: Annotated[models.Seq, words("序号", "Seq", _SEQ)]


class WrongProfile(Told):
    """Another model's board is in a device's place."""

    device: Device
    code: Literal["wrong_profile"]
    reported: Annotated[str, Field(max_length=64), words("实际型号", "Reported profile")]
    expected: Annotated[str, Field(max_length=64), words("应有型号", "Expected profile")]


class RefusedEvent(Told):
    """An event that the device's profile does not have, or that is malformed: quarantined."""

    device: Device
    code: Literal["refused_event"]
    epoch: Epoch
    seq: Annotated[models.Seq, words("序号", "Seq", _SEQ)]
    reason: Annotated[str, words("原因", "Reason", "what is wrong with it, one line of English")]


class KeptOut(Told):
    """A device is not listened to for a while, and keeps its events: it sends too much, or what
    makes no sense."""

    device: Device
    code: Literal["flooding", "nonsense"]
    until: Annotated[UnixMs, words("截止时间", "Until", "unix time", "ms")]


GatewaysFault = (
    JournalOverflow | JournalReplaced | IdentityConflict | WrongProfile | RefusedEvent | KeptOut
)


class DeviceFault(RootModel[GatewaysFault | OwnFault]):
    """What went wrong: as the device tells it (`value`), or as the gateway does (`device`)."""


TYPES = (
    event(
        "hall.device.started",
        "设备启动",
        "Device started",
        DeviceStarted,
        "a device has started",
        ("window", "zone"),
    ),
    event(
        "hall.device.online",
        "设备上线",
        "Device online",
        DevicePresence,
        "a device has come",
        ("window", "zone"),
    ),
    event(
        "hall.device.offline",
        "设备离线",
        "Device offline",
        DevicePresence,
        "a device has gone",
        ("window", "zone"),
    ),
    event(
        "hall.device.fault",
        "设备故障",
        "Fault",
        DeviceFault,
        "a device is not as it should be, or an event was lost or refused",
        ("window", "zone"),
    ),
)
