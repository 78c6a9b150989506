"""What the gateway hands out: acks, replies, outbox rows, commands for devices, wake-ups.

Here: frozen values at the boundary between core.py and the links. Not here: what comes in
(models.py).
"""

import asyncio
from dataclasses import dataclass, field

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
    """The answer to hall command `id`: JSON {"id","ok","result"|"error"} for reply/{id}."""

    id: str
    body: bytes


@dataclass(frozen=True)
class OutboxRow:
    """One CloudEvent for event/{topic_noun}/{topic_verb}; positions grow and have gaps."""

    position: int
    topic_noun: str
    topic_verb: str
    body: bytes


@dataclass(frozen=True)
class DeviceOrder:
    """A command for down/cmd of `device`; `body` is JSON {"id","do","args","ttl_s"}."""

    id: str
    device: str
    body: bytes


@dataclass(frozen=True)
class Signals:
    """Set by the core whenever there may be something new; cleared by the loop that looks.

    A loop clears its event first, then asks the core, then waits: nothing is missed that way.
    """

    desired: asyncio.Event = field(default_factory=asyncio.Event)
    device_commands: asyncio.Event = field(default_factory=asyncio.Event)
    replies: asyncio.Event = field(default_factory=asyncio.Event)
    outbox: asyncio.Event = field(default_factory=asyncio.Event)
