"""What the gateway hands out: acks, replies, outbox rows, commands for devices, wake-ups.

Here: frozen values at the boundary between core.py and the links. Not here: what comes in
(models.py).
"""

import asyncio
from dataclasses import dataclass, field
from weakref import WeakSet

from hall_gateway.wire import compact


class StoreError(Exception):
    """Nothing was committed and nothing may be acked; the same call works again later."""


class StoreFullError(StoreError):
    """The store is at its limit; devices keep their events until there is space again."""


@dataclass(frozen=True)
class Ack:
    """down/ack: every event of `epoch` up to `seq` is committed; `now` is unix ms."""

    epoch: int
    seq: int
    now: int

    def body(self) -> bytes:
        return compact({"epoch": self.epoch, "seq": self.seq, "now": self.now})


@dataclass(frozen=True)
class Reply:
    """The answer to hall command `id`: JSON {"id","ok","result"|"error"} for reply/{id}, or for
    the response topic that the command named, with its correlation data."""

    id: str
    body: bytes
    topic: str | None = None
    correlation: bytes | None = None


@dataclass(frozen=True)
class OutboxRow:
    """One CloudEvent, its `id`, for event/{topic_noun}/{topic_verb}; positions grow and have
    gaps. `after`: a position before its own; the sink that it is for wants no row in between."""

    position: int
    topic_noun: str
    topic_verb: str
    body: bytes
    id: str = ""
    after: int = 0

    @property
    def type(self) -> str:
        return f"hall.{self.topic_noun}.{self.topic_verb}"


@dataclass(frozen=True)
class DeviceOrder:
    """A command for down/cmd of `device`; `body` is JSON {"id","do","args","ttl_s"}."""

    id: str
    device: str
    body: bytes


class Signal(asyncio.Event):
    """An event for one loop to clear; any other that looks has one of its own, by listen()."""

    def __init__(self) -> None:
        super().__init__()
        self._listeners: WeakSet[asyncio.Event] = WeakSet()

    def listen(self, event: asyncio.Event | None = None) -> asyncio.Event:
        """An event, or the given one, that is set together with this one for as long as the caller
        keeps it; set from the start."""
        event = event or asyncio.Event()
        event.set()
        self._listeners.add(event)
        return event

    def set(self) -> None:
        super().set()
        for event in self._listeners:
            event.set()


@dataclass(frozen=True)
class Signals:
    """Set by the core whenever there may be something new; cleared by the loop that looks.

    A loop clears its event first, then asks the core, then waits: nothing is missed that way.
    """

    desired: Signal = field(default_factory=Signal)
    device_commands: Signal = field(default_factory=Signal)
    replies: Signal = field(default_factory=Signal)
    outbox: Signal = field(default_factory=Signal)
    dead_letters: Signal = field(default_factory=Signal)
