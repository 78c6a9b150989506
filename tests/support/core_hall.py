"""A small hall for tests of the gateway's core: a plan, a clock by hand, and payloads."""

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
from hall_gateway.values import OutboxRow
from hall_profiles import load
from hall_tools.fleet.hands import NOON, Clock, Device, QueueSystem, read

__all__ = ["NOON", "PLAN", "Clock", "Device", "Hall", "open_hall", "open_new_hall", "read"]

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


class Hall(QueueSystem):
    """The hall system's side of a core: commands in, CloudEvents and replies out."""

    async def serve(self, ticket: str, window: str = "1") -> int:
        """Call, start and end; the rating session that opened on the window's keypad."""
        for name, more in (("call", {"ticket": ticket}), ("start", {}), ("end", {})):
            await self.do(name, window=window, **more)
        return self.desired(f"kp-{window}")["rev"]

    async def rows(self) -> list[OutboxRow]:
        return await self.core.outbox("test", 10_000)

    async def events(self, kind: str = "hall.") -> list[dict[str, Any]]:
        """The CloudEvents so far whose type begins with `kind`."""
        events = [json.loads(row.body) for row in await self.rows()]
        return [event for event in events if event["type"].startswith(kind)]

    async def data(self, kind: str) -> list[dict[str, Any]]:
        """The data of the CloudEvents so far whose type begins with `kind`."""
        return [event["data"] for event in await self.events(kind)]


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
