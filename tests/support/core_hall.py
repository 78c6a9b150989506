"""A small hall for tests of the gateway's core: a plan, a clock by hand, and payloads."""

import itertools
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hall_gateway.core import Core
from hall_gateway.plan import Plan, PlannedDevice, RatingRules
from hall_gateway.schema import open_store
from hall_gateway.values import OutboxRow, Reply
from hall_profiles import load

NOON = 1_800_000_000_000
"""Unix ms at which every test begins."""

PLAN = Plan(
    "demo",
    {"1": "综合业务", "2": "", "3": "无设备"},
    {
        device.id: device
        for device in (
            PlannedDevice("disp-1", load("call-display-p10-64x16"), "window/1", "1"),
            PlannedDevice("kp-1", load("keypad-5"), "window/1", "1"),
            PlannedDevice("disp-2", load("call-display-f375-64x32"), "window/2", "2"),
            PlannedDevice("kp-2", load("keypad-3"), "window/2", "2"),
            PlannedDevice("sign", load("call-display-p10-64x16"), "zone/entrance"),
            PlannedDevice("cnt", load("people-counter-beams"), "zone/entrance"),
            PlannedDevice("wet", load("wet-floor-mains"), "zone/entrance"),
        )
    },
    # Services of no time, by one clerk whose customers press at once.
    rules=RatingRules(min_service_s=0, fast_run=0),
)


_IDS = itertools.count(1)
"""Ids of commands: never one twice, also when a store is opened again."""


class Clock:
    """Unix ms that only a test moves."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


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


class Hall:
    """The hall system's side of a core: commands in, CloudEvents and replies out."""

    def __init__(self, core: Core, clock: Clock) -> None:
        self.core = core
        self.clock = clock

    async def send(self, name: str, **fields: Any) -> dict[str, Any] | None:
        """The reply, None when it comes later."""
        payload = json.dumps({"id": f"c-{next(_IDS)}"} | fields).encode()
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

    async def serve(self, ticket: str, window: str = "1") -> int:
        """Call, start and end; the rating session that opened on the window's keypad."""
        for name, more in (("call", {"ticket": ticket}), ("start", {}), ("end", {})):
            await self.do(name, window=window, **more)
        return self.desired(f"kp-{window}")["rev"]

    def desired(self, device: str) -> dict[str, Any]:
        return json.loads(self.core.desired()[device])

    async def rows(self) -> list[OutboxRow]:
        return await self.core.outbox("test", 10_000)

    async def events(self, kind: str = "hall.") -> list[dict[str, Any]]:
        """The CloudEvents so far whose type begins with `kind`."""
        events = [json.loads(row.body) for row in await self.rows()]
        return [event for event in events if event["type"].startswith(kind)]

    async def data(self, kind: str) -> list[dict[str, Any]]:
        """The data of the CloudEvents so far whose type begins with `kind`."""
        return [event["data"] for event in await self.events(kind)]


def read(reply: Reply) -> dict[str, Any]:
    body = json.loads(reply.body)
    assert body["id"] == reply.id
    return body


@cache
def _empty_store() -> bytes:
    """What a new store is before anything is in it: to make one takes most of a short test."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hall.db"
        open_store(path, 64).close()
        return path.read_bytes()


@asynccontextmanager
async def open_hall(
    folder: Path, clock: Clock | None = None, plan: Plan = PLAN, max_mb: int = 64
) -> AsyncGenerator[Hall]:
    """A core over `folder`/hall.db, closed afterwards. A new one begins with an empty store."""
    if not (path := folder / "hall.db").exists():
        path.write_bytes(_empty_store())
    async with open_new_hall(folder, clock, plan, max_mb) as hall:
        yield hall


@asynccontextmanager
async def open_new_hall(
    folder: Path, clock: Clock | None = None, plan: Plan = PLAN, max_mb: int = 64
) -> AsyncGenerator[Hall]:
    """As open_hall; a new one begins with nothing, and makes its store."""
    clock = clock or Clock()
    core = Core(plan, folder / "hall.db", max_mb, clock)
    await core.start()
    try:
        yield Hall(core, clock)
    finally:
        await core.close()
