"""The devices and the hall system of a measurement, the same for every system: who sends what, and
what of it came out.

Here: events with their identities, sending them at a rate or at once, and the judge who notes what
arrives. Not here: how a system wraps what it passes on (each says so), what follows from the counts
(gateway.py).
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hall_tools.bench.gateway_wire import Wire

DEVICES = [f"count-{number:02}" for number in range(1, 21)]
"""People counters: a hall has some twenty devices."""

EPOCH = 7

Id = tuple[str, int]
"""Which event: device and seq."""

Read = Callable[[str, bytes], Iterable[Id]]
"""Which events a message of the hall's broker carries, by its topic and payload."""


class Devices:
    """Everything that was sent, by whom and when; `wire` is at the devices' broker."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.sent: dict[Id, float] = {}
        self._seqs = dict.fromkeys(DEVICES, 0)
        self._times = dict.fromkeys(DEVICES, 0)
        self._turn = 0

    def send(self) -> Id:
        """The next event of the next device, on its way."""
        device = DEVICES[self._turn % len(DEVICES)]
        self._turn += 1
        self._seqs[device] = seq = self._seqs[device] + 1
        # No two of a device have the same time: ThingsBoard tells them apart by it.
        self._times[device] = now = max(self._times[device] + 1, time.time_ns() // 1_000_000)
        event = {
            "epoch": EPOCH,
            "seq": seq,
            "boot": 1,
            "up": 1000 + 100 * seq,
            "t": now,
            "ts": now,  # its name at ThingsBoard; the gateway ignores what it does not know
            "kind": "passage",
            "data": {"dir": "in" if seq % 2 else "out"},
        }
        payload = json.dumps(event, separators=(",", ":")).encode()
        self.sent[device, seq] = self.wire.publish(f"device/v1/{device}/up/event", payload)
        return device, seq

    async def at_rate(self, per_s: float, count: int, rng: random.Random) -> list[Id]:
        """`count` events, `per_s` a second, each at a moment by chance within its turn: nothing
        that looks at even times can be in step with them."""
        began = time.monotonic()
        sent: list[Id] = []
        for number in range(count):
            due = began + (number + rng.random()) / per_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            sent.append(self.send())
        return sent

    async def at_once(self, count: int) -> list[Id]:
        """`count` events as fast as the broker takes them; it has them all afterwards."""
        sent: list[Id] = []
        for number in range(count):
            sent.append(self.send())
            if number % 500 == 499:
                await self.wire.confirmed(500)
        await self.wire.confirmed()
        return sent


@dataclass
class Judge:
    """What the hall system got: for each event the time of every arrival (time.monotonic())."""

    read: Read
    arrived: dict[Id, list[float]] = field(default_factory=dict[Id, list[float]])
    last: float = 0.0
    foreign: int = 0
    """Messages in which no event was found."""

    def heard(self, topic: str, payload: bytes, now: float) -> None:
        ids = list(self.read(topic, payload))
        self.foreign += not ids
        for id in ids:
            self.arrived.setdefault(id, []).append(now)
            self.last = now

    def missing(self, ids: Iterable[Id]) -> int:
        return sum(id not in self.arrived for id in ids)

    async def has(self, ids: list[Id], patience_s: float) -> int:
        """Returns when all of `ids` are there, or nothing has come for `patience_s`; how many are
        missing."""
        began = time.monotonic()
        left = set(ids)
        while left:
            left = {id for id in left if id not in self.arrived}
            if left and time.monotonic() - max(self.last, began) > patience_s:
                break
            await asyncio.sleep(0.02)
        return len(left)


class Acks:
    """The gateway's acks to the devices: how far each device's events are committed."""

    def __init__(self) -> None:
        self.marks = dict.fromkeys(DEVICES, 0)
        self.last = 0.0

    def heard(self, topic: str, payload: bytes, now: float) -> None:
        device = topic.split("/")[2]
        self.marks[device] = max(self.marks.get(device, 0), json.loads(payload)["seq"])
        self.last = now

    async def cover(self, ids: list[Id], patience_s: float) -> bool:
        """Returns when all of `ids` are acked, or nothing was acked for `patience_s`."""
        wanted: dict[str, int] = {}
        for device, seq in ids:
            wanted[device] = max(wanted.get(device, 0), seq)
        began = time.monotonic()
        while any(self.marks[device] < seq for device, seq in wanted.items()):
            if time.monotonic() - max(self.last, began) > patience_s:
                return False
            await asyncio.sleep(0.02)
        return True
