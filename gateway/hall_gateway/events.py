"""CloudEvents 1.0 in structured JSON mode: how everything that happens leaves the gateway.

Here: the envelope, its time, and the event types of what devices report as it is. Not here: types
that depend on the hall's state (sessions.py, ratings.py).

The model is checked by the CloudEvents SDK; its JSON writer is not used, because it writes Chinese
as escapes and the fraction of a second only when there is one.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from cloudevents.core.v1.event import CloudEvent

from hall_gateway.models import (
    AttendedData,
    BootData,
    EscalateData,
    EventData,
    FaultData,
    FloorData,
    PassageData,
    RainData,
    Role,
    UpdateData,
)
from hall_gateway.state import Emit, Json
from hall_gateway.wire import compact, rfc3339

Quality = Literal["synced", "estimated"]
"""Extension `clockquality`: whether `time` is a set clock's or the gateway's estimate."""


def event_id(device: str, epoch: int, seq: int) -> str:
    """`device/epoch-hex/seq`, the identity that everything downstream is idempotent on."""
    return f"{device}/{epoch:08x}/{seq}"


def cloud_event(hall: str, id: str, emit: Emit, time_ms: int, quality: Quality) -> bytes:
    """The structured-mode JSON of `emit` (CloudEvents JSON format 1.0.2, section 3).

    `time_ms` is unix ms. Raises CloudEventValidationError when an attribute is not allowed.
    """
    device = id.partition("/")[0]
    before, between, after = _around(hall, device, emit.type, emit.subject, quality)
    head = f"{before}{id}{between}{rfc3339(time_ms)}{after}"
    return b"".join((head.encode(), compact(emit.data), b"}"))


@lru_cache(maxsize=1024)
def _around(
    hall: str, device: str, type: str, subject: str, quality: Quality
) -> tuple[str, str, str]:
    """The text before an event's id, between that and its time, and from there to its data: the
    same for all events of a device and type, as are the id's and the time's form. So the SDK is
    asked for its opinion once for each. Raises CloudEventValidationError."""
    source = f"/hall/{hall}/{device}"
    _check(source, type, subject, quality)
    named = compact({"source": source, "type": type, "subject": subject}).decode()
    rest = compact({"datacontenttype": "application/json", "clockquality": quality}).decode()
    return (
        '{"specversion":"1.0","id":"',
        f'",{named[1:-1]},"time":"',
        f'",{rest[1:-1]},"data":',
    )


def _check(source: str, type: str, subject: str, quality: Quality) -> None:
    """Raises CloudEventValidationError."""
    attributes: Json = {
        "specversion": "1.0",
        "id": "device/00000000/1",
        "source": source,
        "type": type,
        "subject": subject,
        "time": datetime.fromtimestamp(0, UTC),
        "datacontenttype": "application/json",
        "clockquality": quality,
    }
    CloudEvent(attributes, {})


def topic(type: str) -> tuple[str, str]:
    """The last two topic levels of a type: hall.rating.given goes to event/rating/given."""
    _, noun, verb = type.split(".")
    return noun, verb


def reported(role: Role, kind: str, data: EventData, subject: str) -> Emit | None:
    """What a device event says by itself; None for a kind that needs the hall's state."""
    match data:
        case BootData():
            return Emit("hall.device.started", subject, {"cause": data.cause}, own=False)
        case PassageData():
            return Emit("hall.count.passage", subject, {"direction": data.dir}, own=False)
        case FloorData():
            return Emit(f"hall.floor.{kind}", subject, {"ohms": data.ohms}, own=False)
        case EscalateData():
            return Emit("hall.floor.escalated", subject, {"minutes": data.minutes}, own=False)
        case AttendedData():
            return Emit("hall.floor.attended", subject, {}, own=False)
        case RainData():
            verb = "started" if data.on else "ended"
            return Emit(f"hall.rain.{verb}", subject, {}, own=False)
        case UpdateData():
            return _update(data, subject)
        case FaultData():
            noun = "floor" if role == "wet_floor" else "device"
            fault: Json = {"code": data.code, "value": data.value}
            return Emit(f"hall.{noun}.fault", subject, fault, own=False)
        case _:
            return None


_REVERTED = ("crash", "hang", "no_service")
"""Why a device gives a release up that it has tried; any other reason is from before."""


def _update(data: UpdateData, subject: str) -> Emit:
    told: Json = {"version": data.v or None}
    if data.s in ("staged", "confirmed"):
        return Emit(f"hall.update.{data.s}", subject, told, own=False)
    verb = "reverted" if data.s in _REVERTED else "refused"
    return Emit(f"hall.update.{verb}", subject, {**told, "reason": data.s}, own=False)
