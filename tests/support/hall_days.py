"""Days of a small hall in which things go wrong that figures must come through.

Here: what is added to the shared days (hall_tools.fleet): a gateway that starts again, a hall
system that gets some events twice, nights, and the CloudEvents that it got. Not here: what any of
it adds up to.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hall_gateway.core import Core
from hall_gateway.occupancy import OccupancyRules
from hall_gateway.plan import Plan, PlannedDevice
from hall_profiles import load
from hall_tools.fleet.customers import Habits
from hall_tools.fleet.hall_days import DAY, HOUR, MINUTE, SECOND
from hall_tools.fleet.hall_days import HallDays as SharedDays

from support.core_hall import Clock, Hall

__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "HallDays"]

PLAN = Plan(
    "demo",
    {"1": "综合业务", "2": "电费缴纳", "3": "无评价器", "4": "自助"},
    {
        device.id: device
        for device in (
            PlannedDevice("kp-1", load("keypad-6"), "window/1", "1"),
            PlannedDevice("kp-2", load("keypad-5"), "window/2", "2"),
            PlannedDevice("kp-4", load("keypad-3"), "window/4", "4"),
            PlannedDevice("door", load("people-counter-beams"), "zone/entrance"),
            PlannedDevice("vip", load("people-counter-beams"), "zone/vip"),
        )
    },
    free=frozenset({"4"}),
    occupancy=OccupancyRules(areas=frozenset({"vip"})),
)
CLERKS = {"1": "王芳", "2": "李明", "3": "赵强"}


@dataclass
class HallDays:
    """The days of one seed. `told` are the CloudEvents as JSON, in the order in which they came,
    some of them twice. On every tenth day ten times as many `customers` come, and are quicker."""

    folder: Path
    seed: int
    first_midnight: int
    customers: int
    told: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def run(self, days: int, and_a_morning: bool = False) -> None:
        self.clock = Clock(self.first_midnight)
        self._days = SharedDays(
            PLAN, CLERKS, self.seed, self.clock, Habits(customers=self.customers)
        )
        await self._start()
        await self._days.begin(self.core, self._hall)
        for day in range(days):
            await self._day(self.first_midnight + day * DAY, day)
        await self._days.live(until=self.clock.now + 2 * DAY)
        if and_a_morning:
            await self._unfinished(self.first_midnight + (days + 4) * DAY + 9 * HOUR)
        await self._receive()
        await self.core.close()

    async def _start(self) -> None:
        self.core = Core(PLAN, self.folder / "hall.db", 64, self.clock)
        await self.core.start()
        self._hall = Hall(self.core, self.clock)
        self._days.core, self._days.hall = self.core, self._hall

    async def _restart(self) -> None:
        """The hall system had some events, and the gateway had not noted that it had."""
        rows = await self.core.outbox("hall", 40)
        self.told += [json.loads(row.body) for row in rows]
        await self.core.close()
        await self._start()

    async def _receive(self) -> None:
        while rows := await self.core.outbox("hall", 500):
            self.told += [json.loads(row.body) for row in rows]
            await self.core.advance("hall", rows[-1].position)

    async def _day(self, midnight: int, day: int) -> None:
        days = self._days
        days.plan_day(midnight, day)
        if day % 6 == 4:
            days.at(midnight + days.opens + 3 * HOUR + 1234, self._restart)
        days.at(midnight + DAY - 1, self._receive)
        for edge in (-1, 0):  # the last ms of a day, and the first of the next
            days.at(midnight + DAY + 3 * HOUR + edge, self._by_night)
        days.at(midnight + DAY + 3 * HOUR + 5 * SECOND, self._tick)
        await days.live(until=midnight + DAY + 6 * HOUR)

    async def _by_night(self) -> None:
        """Someone is at the machines in the hall at night, one touches a key, and one is served."""
        sources = self._days.sources
        await sources["vip"].tell("passage", {"dir": "in"})
        await sources["door"].tell("passage", {"dir": "out"})
        ticket = f"N{next(self._days.customers.number):03}"
        await self._hall.send("take", ticket=ticket)
        await self._hall.send("call", ticket=ticket, window="3")
        await self._hall.send("start", window="3")
        await sources["kp-4"].tell("press", {"key": 1, "session": None})

    async def _unfinished(self, at: int) -> None:
        """The last thing that the gateway is told: a morning, with a service underway."""
        self.clock.now = at
        await self.core.tick()
        await self._hall.do("staff", window="1", staff="王芳")
        await self._hall.do("call", ticket="Z001", window="1")
        await self._hall.do("start", window="1")
        self.clock.pass_s(301)

    async def _tick(self) -> None:
        await self.core.tick()
