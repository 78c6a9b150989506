"""Days of a simulated hall, straight into a gateway's core: opening hours, clerks, counters.

Here: the agenda of a day, drawn from a seed, with a clock that jumps from one thing to the next or
goes by itself. Not here: what customers do there (customers.py), what any of it adds up to, and
what becomes of the events (halls.py).
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from hall_gateway.core import Core
from hall_gateway.plan import Plan

from hall_tools.fleet.customers import Customers, Habits, Window
from hall_tools.fleet.hands import Clock, Device, QueueSystem

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000

Action = Callable[[], Awaitable[None]]


class Source:
    """A device with its own flash: cut off, it keeps what happens and tells it later. `acked`
    counts what its gateway has committed."""

    def __init__(self, days: "HallDays", id: str) -> None:
        self._days = days
        self.device = Device(id, days.epoch)
        self._began = days.clock.now
        self.id = id
        self.kept: list[bytes] = []
        self.acked = 0
        self.cut_off = False
        self.told_time = True

    async def tell(self, kind: str, data: dict[str, Any]) -> None:
        now = self._days.clock()
        self.device.up = now - self._began
        t = now if self.told_time else None
        self.kept.append(self.device.event(kind, data, after_ms=0, t=t))
        if not self.cut_off:
            await self.deliver()

    async def deliver(self) -> None:
        self.cut_off = False
        kept, self.kept = self.kept, []
        for payload in kept:
            assert await self._days.core.event(self.id, payload) is not None
            self.acked += 1


class HallDays:
    """The days of one seed in the hall of `plan`. `clerks`: by window; the first `served` windows
    are called to. On every tenth day ten times as many customers come, and are quicker."""

    opens, closes = 8 * HOUR, 17 * HOUR
    """After midnight."""
    epoch = 0xBEEF
    """Of the devices' journals."""

    def __init__(
        self,
        plan: Plan,
        clerks: dict[str, str],
        seed: int,
        clock: Clock,
        habits: Habits,
    ) -> None:
        self.plan = plan
        self.random = random.Random(seed)
        self.clock = clock
        self.core: Core
        self.hall: QueueSystem
        self.clerks = clerks
        self.habits = habits
        self._order = itertools.count()
        self._agenda: list[tuple[int, int, Action]] = []
        self.windows = {id: Window(id) for id in clerks}
        self.customers = Customers(self)

    async def begin(self, core: Core, hall: QueueSystem) -> None:
        """The devices start."""
        self.core, self.hall = core, hall
        self.sources = {id: Source(self, id) for id in self.plan.devices}
        for id in self.plan.devices:
            await self.sources[id].tell("boot", {"cause": "power_on"})

    # The agenda.

    def at(self, at: int, action: Action) -> None:
        heapq.heappush(self._agenda, (at, next(self._order), action))

    def after(self, least_s: float, most_s: float, action: Action) -> None:
        ms = round(self.random.uniform(least_s, most_s) * 1000)
        self.at(self.clock.now + ms, action)

    async def live(self, until: int) -> None:
        """What happens before unix ms `until`, one after the other without a wait."""
        while self._agenda and self._agenda[0][0] < until:
            at, _, action = heapq.heappop(self._agenda)
            self.clock.now = max(self.clock.now, at)
            await action()

    # A day.

    def plan_day(self, midnight: int, day: int) -> None:
        """Put the day that begins at unix ms `midnight` on the agenda, up to its last customer."""
        self.rush = 10 if day % 10 == 5 else 1
        self.customers.new_day()
        opening, closing = midnight + self.opens, midnight + self.closes
        for window in self.windows.values():
            self.at(opening - self.random.randrange(20 * MINUTE), lambda w=window: self._login(w))
            self.at(closing + 10 * MINUTE, lambda w=window: self._logout(w, day))
            self._pauses(window, opening, closing)
        if "2" in self.windows:
            self.at(opening + 4 * HOUR, lambda: self.hall.do("staff", window="2", staff="周杰"))
        for _ in range(self.habits.customers * self.rush):
            # A peak in the morning, and one after noon.
            peak = self.random.choice((opening + HOUR, opening + HOUR, opening + 6 * HOUR))
            at = min(max(round(self.random.gauss(peak, 45 * MINUTE)), opening), closing)
            self.at(at, self.customers.arrive)
        self._outages(opening, day)

    async def join_day(self, midnight: int, day: int) -> None:
        """The rest of a day that has begun without us, in a hall that may not have been left in
        order: clerks log in now, and only customers to come come."""
        self.plan_day(midnight, day)
        self._agenda = [each for each in self._agenda if each[0] >= self.clock.now]
        heapq.heapify(self._agenda)
        for window in self.windows.values():
            await self.hall.send("resume", window=window.id)  # refused where nobody paused
            await self._login(window)

    def _outages(self, opening: int, day: int) -> None:
        """A device is cut off for an hour; on some days one without the time, or until tomorrow."""
        for id in self.random.sample(sorted(self.sources), 2):
            source = self.sources[id]
            begin = opening + self.random.randrange(6 * HOUR)

            async def cut(source: Source = source) -> None:
                source.cut_off = True

            self.at(begin, cut)
            hours = 22 if day % 7 == 3 and source.device.id not in self.customers.free else 1
            self.at(begin + hours * HOUR + self.random.randrange(MINUTE), source.deliver)
        self.sources["door"].told_time = day % 5 != 2

    async def _login(self, window: Window) -> None:
        clerk = self.clerks[window.id]
        # Where no keypad is, nobody knows on some days who serves.
        if self.customers.keypad(window) or self.random.random() < 0.7:
            if self.random.random() < 0.1:
                clerk = "孙丽"
            await self.hall.do("staff", window=window.id, staff=clerk)
        window.open = True
        await self.customers.call(window)

    async def _logout(self, window: Window, day: int) -> None:
        window.open = False
        if self.random.random() < 0.7 and day % 4:
            await self.hall.do("staff", window=window.id, staff=None)

    def _pauses(self, window: Window, opening: int, closing: int) -> None:
        begin = self.random.randrange(opening, closing - HOUR)

        async def pause() -> None:
            if window.open:
                await self.hall.do("pause", window=window.id)
                window.open = False
                self.after(60, 3000, resume)

        async def resume() -> None:
            await self.hall.do("resume", window=window.id)
            window.open = True
            await self.customers.call(window)

        if self.random.random() < 0.6:
            self.at(begin, pause)

    async def go_on(self, stop: asyncio.Event, until: int) -> None:
        """What is on the agenda, each when its time has come, and a tick a second: until `stop` is
        set, or unix ms `until`. For a clock that goes by itself."""
        while not stop.is_set() and (now := self.clock()) < until:
            await self.live(until=now + 1)
            await self.core.tick()
            following = self._agenda[0][0] if self._agenda else until
            wait_s = min(max(following - self.clock(), 0), SECOND) / SECOND
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait_s)
