"""The hands at a simulated hall: its clock, its devices' payloads, and the queue system's commands.

Here: what a generator of hall days and the tests put into a gateway's core. Not here: when
anything happens (hall_days.py), what it means (hall_gateway).
"""

import itertools
import json
import time
from typing import Any

from hall_gateway.core import Core
from hall_gateway.values import Reply

NOON = 1_800_000_000_000
"""Unix ms at which every test begins."""

_IDS = itertools.count(1)
"""Of commands' ids: never one twice in a process."""


class Clock:
    """Unix ms that only its owner moves, until it goes by itself."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


class GoingClock(Clock):
    """One that shows the time of this machine from go() on. `now` is when the last thing was
    meant to happen."""

    going = False

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 if self.going else self.now

    def go(self) -> None:
        self.going = True


class Device:
    """Makes the up/event payloads of one device, in one epoch, with a seq that counts."""

    def __init__(self, id: str, epoch: int = 0xBEEF, boot: int = 1) -> None:
        self.id = id
        self.epoch = epoch
        self.boot = boot
        self.seq = 0
        self.up = 1000

    def event(self, kind: str, data: dict[str, Any], after_ms: int = 500, **fields: Any) -> bytes:
        self.seq += 1
        self.up += after_ms
        body = {"epoch": self.epoch, "seq": self.seq, "boot": self.boot, "up": self.up}
        return json.dumps(body | {"t": None, "kind": kind, "data": data} | fields).encode()

    def gap(self, first: int, last: int) -> bytes:
        """The gap event that the link makes: its seq is the last one lost."""
        return self.event("gap", {"from": first, "to": last}, seq=last)

    def state(self, acked: int, next: int | None = None, **fields: Any) -> bytes:
        journal = {"epoch": self.epoch, "acked": acked, "next": next or max(acked, self.seq) + 1}
        return json.dumps({"rev": None, "journal": journal} | fields).encode()


class QueueSystem:
    """The hall system's commands to a core; ids begin with `run`, for a store may know those of
    a process before."""

    def __init__(self, core: Core, clock: Clock, run: str = "c") -> None:
        self.core = core
        self.clock = clock
        self._run = run

    async def send(self, name: str, **fields: Any) -> dict[str, Any] | None:
        """The reply, None when it comes later."""
        payload = json.dumps({"id": f"{self._run}-{next(_IDS)}"} | fields).encode()
        reply = await self.core.command(name, payload)
        return None if reply is None else read(reply)

    async def do(self, name: str, **fields: Any) -> Any:
        """The result of a command that must succeed."""
        reply = await self.send(name, **fields)
        assert reply is not None
        assert reply["ok"], reply
        return reply["result"]

    async def error(self, name: str, **fields: Any) -> str:
        """The error of a command that must fail."""
        reply = await self.send(name, **fields)
        assert reply is not None
        assert not reply["ok"], reply
        return reply["error"]

    def desired(self, device: str) -> dict[str, Any]:
        return json.loads(self.core.desired()[device])


def read(reply: Reply) -> dict[str, Any]:
    body = json.loads(reply.body)
    assert body["id"] == reply.id
    return body
