"""The payloads that devices and the hall system send to the gateway.

Here: strict models with a bound on every string and number. Not here: reading JSON and wording what
is wrong with it (payload.py), what a payload means (accept.py, sessions.py), how it travels.

Devices may send fields that are not known here (newer firmware): they are ignored. A hall command
with an unknown field is refused, because it is a typing mistake.
"""

import hashlib
import json
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)
from pydantic.fields import FieldInfo

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

Role = Literal["call_display", "keypad", "people_counter", "wet_floor"]


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("not printable, or with blanks around it")
    return text


def _text(length: int) -> FieldInfo:
    return Field(min_length=1, max_length=length, description=f"1 to {length} printable characters")


Printable = AfterValidator(_printable)
Ticket = Annotated[str, _text(8), Printable]
Name = Annotated[str, _text(32), Printable]
Text = Annotated[str, _text(64), Printable]
U32 = Annotated[int, Field(ge=0, le=2**32 - 1, description="0 to 4294967295")]
Seq = Annotated[int, Field(ge=1, le=2**32 - 1, description="1 to 4294967295")]
Boot = Annotated[int, Field(ge=0, le=2**16 - 1, description="0 to 65535")]
UptimeMs = Annotated[int, Field(ge=0, le=2**40 - 1, description="ms since boot, below 2^40")]
UnixMs = Annotated[
    int,
    Field(ge=0, le=253402300799999, description="unix ms, at most 253402300799999, or null"),
]
"""Up to 9999-12-31T23:59:59.999Z: RFC 3339 writes a year with four digits."""
Rev = Annotated[int, Field(ge=0, le=10**10 - 1, description="0 to 9999999999")]
Ohms = Annotated[int, Field(ge=0, le=10**9, description="0 to 1000000000 ohm")]
Key = Annotated[int, Field(ge=1, le=16, description="1 to 16")]
Word = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="1 to 32 of a-z, 0-9 and '_'")
]
# A reply's topic is …/reply/{id}, so an id must be one topic level (MQTT 3.1.1, 4.7).
CommandId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._:-]{1,64}$",
        description="1 to 64 of A-Z, a-z, 0-9, '.', '_', ':', '-'",
    ),
]
DeviceId = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", description='the id of a device, e.g. "disp-1"'),
]
WindowId = Annotated[
    str,
    Field(min_length=1, max_length=8, description="one of {windows}"),
    AfterValidator(_printable),
]
Seconds = Annotated[int, Field(ge=1, le=3600, description="1 to 3600 s")]


class _DevicePayload(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class Identity(_DevicePayload):
    """What an ack needs of an event, even when the rest of it cannot be read."""

    epoch: U32
    seq: Seq


class DeviceEvent(_DevicePayload):
    """up/event: one journalled event. `up` is ms since boot `boot`; `t` unix ms or None."""

    epoch: U32
    seq: Seq
    boot: Boot
    up: UptimeMs
    t: UnixMs | None
    kind: Word
    data: dict[str, JsonValue]

    def digest(self) -> bytes:
        """SHA-256 of everything but the identity: equal for a resend, whatever its key order."""
        body = [self.boot, self.up, self.t, self.kind, self.data]
        return hashlib.sha256(_CANONICAL.encode(body).encode()).digest()


class BootData(_DevicePayload):
    """boot: the device started, and why."""

    cause: Word


class ShownData(_DevicePayload):
    """shown: a whole frame of this rev's call was scanned out."""

    rev: Rev


class PressData(_DevicePayload):
    """press: a debounced press. `session` is the open session's rev, None outside of one; `n` how
    many keys are down at once, when it is more than this one; of two in one moment the one that is
    told first has none."""

    key: Key
    session: Rev | None
    n: Annotated[int, Field(ge=2, le=16, description="2 to 16 keys")] | None = None


class CloseData(_DevicePayload):
    """close: the keypad's session is over: locked, timed out, replaced, or came too late. None: a
    rating that nobody asked for is locked."""

    session: Rev | None
    why: Annotated[
        Literal["lock", "end", "next", "late"], Field(description="lock, end, next or late")
    ]


class ReasonData(_DevicePayload):
    """reason: why the mark of that session was a bad one, by the key that stands for it."""

    key: Key
    session: Rev | None


class CardData(_DevicePayload):
    """card: a staff card at the keypad's reader, its data bits without parity."""

    bits: Annotated[Literal[26, 34], Field(description="26 or 34")]
    code: U32


class PinData(_DevicePayload):
    """pin: a PIN at the keypad's reader, as the code that staff.py makes of it."""

    code: Annotated[int, Field(ge=0, lt=2**48, description="0 to 281474976710655")]


class PassageData(_DevicePayload):
    """passage: one person went through the beams."""

    dir: Annotated[Literal["in", "out"], Field(description="in or out")]


class FloorData(_DevicePayload):
    """wet, dry: the probe's resistance that decided it."""

    ohms: Ohms


class EscalateData(_DevicePayload):
    """escalate: the floor has been wet for `minutes`, and for a while nobody came."""

    minutes: Annotated[int, Field(ge=0, le=99_999, description="0 to 99999 min")]


class AttendedData(_DevicePayload):
    """attended: the cleaner pressed the button at the sensor."""


class RainData(_DevicePayload):
    """rain: it began, or it has not rained for as long as a floor needs to count as dry."""

    on: bool


class FaultData(_DevicePayload):
    """fault: what a device found wrong with itself."""

    code: Word
    value: (
        Annotated[int, Field(ge=-(2**53), le=2**53)]
        | float
        | Annotated[str, Field(max_length=32)]
        | None
    ) = None


class UpdateData(_DevicePayload):
    """update: a release was staged or confirmed, or why it was refused or given up again (`s`);
    `v` is its version, empty where the device does not know it."""

    s: Annotated[str, Field(pattern="^[a-z][a-z_]{0,9}$", description="1 to 10 of a-z and '_'")]
    v: Annotated[str, Field(pattern=r"^[0-9.]{0,10}$", description="a version, or nothing")]


class GapData(_DevicePayload):
    """gap: the ring overflowed; no event from `first` to `last` that is not stored will come."""

    first: Seq = Field(alias="from")
    last: Seq = Field(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> "GapData":
        if self.first > self.last:
            raise ValueError("from is after to")
        return self


EventData = (
    BootData
    | ShownData
    | PressData
    | CloseData
    | ReasonData
    | CardData
    | PinData
    | PassageData
    | FloorData
    | EscalateData
    | AttendedData
    | RainData
    | FaultData
    | UpdateData
    | GapData
)

_ANY_ROLE: dict[str, type[EventData]] = {
    "boot": BootData,
    "fault": FaultData,
    "update": UpdateData,
    "gap": GapData,
}
KINDS: dict[Role, dict[str, type[EventData]]] = {
    "call_display": {**_ANY_ROLE, "shown": ShownData},
    "keypad": {
        **_ANY_ROLE,
        "press": PressData,
        "close": CloseData,
        "reason": ReasonData,
        "card": CardData,
        "pin": PinData,
    },
    "people_counter": {**_ANY_ROLE, "passage": PassageData},
    "wet_floor": {
        **_ANY_ROLE,
        "wet": FloorData,
        "dry": FloorData,
        "escalate": EscalateData,
        "attended": AttendedData,
        "rain": RainData,
    },
}
"""The event kinds of a role and the model of each one's data."""


class JournalReport(_DevicePayload):
    """up/state `journal`: where the device's ring stands."""

    epoch: U32
    acked: U32
    next: Seq


class HealthReport(_DevicePayload):
    """up/state `health`, as far as the gateway uses it."""

    up_s: Annotated[int, Field(ge=0, le=2**31, description="s since boot")] | None = None
    boot: Boot | None = None


class DeviceState(_DevicePayload):
    """up/state: what the gateway itself uses of it; the whole of it is passed on as it is."""

    rev: Rev | None = None
    profile: Annotated[str, Field(max_length=64)] | None = None
    journal: JournalReport
    health: HealthReport = HealthReport()


class DeviceReply(_DevicePayload):
    """up/reply: the answer to a down/cmd."""

    id: CommandId
    ok: bool
    result: JsonValue = None
    error: Annotated[str, Field(max_length=256)] | None = None


class _Command(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    id: CommandId


class CallCommand(_Command):
    """A ticket is asked to come to a window; `staff` logs in there with it."""

    ticket: Ticket
    window: WindowId
    staff: Name | None = None
    business: Name | None = None


class TakeCommand(_Command):
    """A customer took a ticket; `priority` 0 is ordinary, 9 goes first."""

    ticket: Ticket
    business: Name | None = None
    priority: Annotated[int, Field(ge=0, le=9, description="0 (ordinary) to 9 (first)")] = 0


class CancelCommand(_Command):
    """A customer who waits gives up."""

    ticket: Ticket


class WindowCommand(_Command):
    """recall, no_show, start, end, pause, resume: something happens at a window."""

    window: WindowId


class TransferCommand(_Command):
    """The ticket of `window` goes to window `to` and is called there."""

    window: WindowId
    to: WindowId


class StaffCommand(_Command):
    """Who serves at a window from now on; None logs out."""

    window: WindowId
    staff: Name | None


def _has(field: str) -> dict[str, JsonValue]:
    return {"required": [field], "properties": {field: {"type": "string"}}}


class ShowCommand(_Command):
    """A text for some seconds on a window's displays, or on one device: give either."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [_has("window"), _has("device")]})

    text: Text
    seconds: Seconds
    window: WindowId | None = None
    device: DeviceId | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "ShowCommand":
        if (self.window is None) == (self.device is None):
            raise ValueError("give either window or device")
        return self


class DeviceCommand(_Command):
    """Something for a device itself to do, answered by the device within `ttl_s` seconds."""

    device: DeviceId
    do: Annotated[
        Literal["identify", "selftest", "reboot", "update", "config"],
        Field(description="identify, selftest, reboot, update or config"),
    ]
    args: dict[str, JsonValue] = {}
    # A battery device hears of it when it wakes, which may be once a day.
    ttl_s: Annotated[int, Field(ge=1, le=90_000, description="1 to 90000 s")] = 30


SessionCommand = (
    TakeCommand
    | CancelCommand
    | CallCommand
    | WindowCommand
    | TransferCommand
    | StaffCommand
    | ShowCommand
)
"""What happens at the windows, in the queue and on the displays."""

Command = SessionCommand | DeviceCommand

COMMANDS: dict[str, type[Command]] = {
    "take": TakeCommand,
    "cancel": CancelCommand,
    "call": CallCommand,
    "recall": WindowCommand,
    "no_show": WindowCommand,
    "start": WindowCommand,
    "end": WindowCommand,
    "pause": WindowCommand,
    "resume": WindowCommand,
    "transfer": TransferCommand,
    "staff": StaffCommand,
    "show": ShowCommand,
    "device": DeviceCommand,
}
"""Every hall command and the model of its payload."""


class CommandIdOnly(BaseModel):
    """The id of a hall command, to answer it even when the rest cannot be read."""

    model_config = ConfigDict(strict=True, extra="ignore")

    id: CommandId
