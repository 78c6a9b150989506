"""Days of a simulated hall, straight into a gateway's core: customers, clerks, keypads, counters.

Here: what people and devices do, drawn from a seed, with a clock that jumps from one thing to the
next, and the CloudEvents that the hall system gets. Not here: what any of it adds up to.
"""

import heapq
import itertools
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hall_gateway.core import Core
from hall_gateway.occupancy import OccupancyRules
from hall_gateway.plan import Plan, PlannedDevice
from hall_profiles import load

from support.core_hall import Clock, Device, Hall

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000

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
SERVED = ("1", "2", "3")
CLERKS = {"1": "王芳", "2": "李明", "3": "赵强"}
BUSINESS = ["缴费", "缴费", "过户", "报装", None]

Action = Callable[[], Awaitable[None]]


class Source:
    """A device with its own flash: cut off, it keeps what happens and tells it later."""

    def __init__(self, days: "HallDays", id: str) -> None:
        self._days = days
        self._device = Device(id)
        self._began = days.clock.now
        self.id = id
        self.kept: list[bytes] = []
        self.cut_off = False
        self.told_time = True

    async def tell(self, kind: str, data: dict[str, Any]) -> None:
        now = self._days.clock.now
        self._device.up = now - self._began
        t = now if self.told_time else None
        self.kept.append(self._device.event(kind, data, after_ms=0, t=t))
        if not self.cut_off:
            await self.deliver()

    async def deliver(self) -> None:
        self.cut_off = False
        kept, self.kept = self.kept, []
        for payload in kept:
            assert await self._days.core.event(self.id, payload) is not None


@dataclass
class Prompt:
    """What a keypad asks for now; `first` is when the first press came."""

    rev: int
    first: int | None = None
    last_key: int = 0


@dataclass
class Window:
    id: str
    open: bool = False
    ticket: str | None = None
    prompt: Prompt | None = None


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
        self.random = random.Random(self.seed)
        self.clock = Clock(self.first_midnight)
        self._order = itertools.count()
        self._agenda: list[tuple[int, int, Action]] = []
        await self._start()
        self._sources = {id: Source(self, id) for id in PLAN.devices}
        for id in PLAN.devices:
            await self._sources[id].tell("boot", {"cause": "power_on"})
        self.windows = {id: Window(id) for id in SERVED}
        for day in range(days):
            await self._day(self.first_midnight + day * DAY, day)
        await self._live(until=self.clock.now + 2 * DAY)
        if and_a_morning:
            await self._unfinished(self.first_midnight + (days + 4) * DAY + 9 * HOUR)
        await self._receive()
        await self.core.close()

    # The gateway.

    async def _start(self) -> None:
        self.core = Core(PLAN, self.folder / "hall.db", 64, self.clock)
        await self.core.start()
        self._hall = Hall(self.core, self.clock)

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

    # A day.

    def _at(self, at: int, action: Action) -> None:
        heapq.heappush(self._agenda, (at, next(self._order), action))

    def _after(self, least_s: float, most_s: float, action: Action) -> None:
        ms = round(self.random.uniform(least_s, most_s) * 1000)
        self._at(self.clock.now + ms, action)

    async def _day(self, midnight: int, day: int) -> None:
        self.queue: list[str] = []
        self.business: dict[str, str | None] = {}
        self._number = itertools.count(1)
        opening, closing = midnight + 8 * HOUR, midnight + 17 * HOUR
        for window in self.windows.values():
            self._at(opening - self.random.randrange(20 * MINUTE), lambda w=window: self._login(w))
            self._at(closing + 10 * MINUTE, lambda w=window: self._logout(w, day))
            self._pauses(window, opening, closing)
        self._at(opening + 4 * HOUR, lambda: self._hall.do("staff", window="2", staff="周杰"))
        self._rush = 10 if day % 10 == 5 else 1
        for _ in range(self.customers * self._rush):
            # A peak in the morning, and one after noon.
            peak = self.random.choice((opening + HOUR, opening + HOUR, midnight + 14 * HOUR))
            at = min(max(round(self.random.gauss(peak, 45 * MINUTE)), opening), closing)
            self._at(at, self._arrive)
        self._outages(opening, day)
        if day % 6 == 4:
            self._at(opening + 3 * HOUR + 1234, self._restart)
        self._at(midnight + DAY - 1, self._receive)
        for edge in (-1, 0):  # the last ms of a day, and the first of the next
            self._at(midnight + DAY + 3 * HOUR + edge, self._by_night)
        self._at(midnight + DAY + 3 * HOUR + 5 * SECOND, self.core_tick)
        await self._live(until=midnight + DAY + 6 * HOUR)

    async def _live(self, until: int) -> None:
        while self._agenda and self._agenda[0][0] < until:
            at, _, action = heapq.heappop(self._agenda)
            self.clock.now = max(self.clock.now, at)
            await action()

    async def _by_night(self) -> None:
        """Someone is at the machines in the hall at night, one touches a key, and one is served."""
        await self._sources["vip"].tell("passage", {"dir": "in"})
        await self._sources["door"].tell("passage", {"dir": "out"})
        ticket = f"N{next(self._number):03}"
        await self._hall.send("take", ticket=ticket)
        await self._hall.send("call", ticket=ticket, window="3")
        await self._hall.send("start", window="3")
        await self._sources["kp-4"].tell("press", {"key": 1, "session": None})

    async def _unfinished(self, at: int) -> None:
        """The last thing that the gateway is told: a morning, with a service underway."""
        self.clock.now = at
        await self.core.tick()
        await self._hall.do("staff", window="1", staff="王芳")
        await self._hall.do("call", ticket="Z001", window="1")
        await self._hall.do("start", window="1")
        self.clock.pass_s(301)

    async def core_tick(self) -> None:
        await self.core.tick()

    def _outages(self, opening: int, day: int) -> None:
        """A device is cut off for an hour; on some days one without the time, or until tomorrow."""
        for id in self.random.sample(sorted(self._sources), 2):
            source = self._sources[id]
            begin = opening + self.random.randrange(6 * HOUR)

            async def cut(source: Source = source) -> None:
                source.cut_off = True

            self._at(begin, cut)
            hours = 22 if day % 7 == 3 and id != "kp-4" else 1
            self._at(begin + hours * HOUR + self.random.randrange(MINUTE), source.deliver)
        self._sources["door"].told_time = day % 5 != 2

    async def _login(self, window: Window) -> None:
        clerk = CLERKS[window.id]
        if window.id != "3" or self.random.random() < 0.7:  # else nobody knows who serves there
            if self.random.random() < 0.1:
                clerk = "孙丽"
            await self._hall.do("staff", window=window.id, staff=clerk)
        window.open = True
        await self._call(window)

    async def _logout(self, window: Window, day: int) -> None:
        window.open = False
        if self.random.random() < 0.7 and day % 4:
            await self._hall.do("staff", window=window.id, staff=None)

    def _pauses(self, window: Window, opening: int, closing: int) -> None:
        begin = self.random.randrange(opening, closing - HOUR)

        async def pause() -> None:
            if window.open:
                await self._hall.do("pause", window=window.id)
                window.open = False
                self._after(60, 3000, resume)

        async def resume() -> None:
            await self._hall.do("resume", window=window.id)
            window.open = True
            await self._call(window)

        if self.random.random() < 0.6:
            self._at(begin, pause)

    # Customers.

    async def _arrive(self) -> None:
        await self._sources["door"].tell("passage", {"dir": "in"})
        if self.random.random() < 0.2:
            await self.core.tick()
        self._after(300, 3000, lambda: self._sources["door"].tell("passage", {"dir": "out"}))
        if self.random.random() < 0.1:
            await self._sources["vip"].tell("passage", {"dir": "in"})
        if self.random.random() < 0.1:
            await self._sources["kp-4"].tell("press", {"key": self._key(3), "session": None})
            self._after(3, 3, lambda: self._sources["kp-4"].tell("close", _close(None, "lock")))
            return
        ticket = f"A{next(self._number):03}"
        business = self.random.choice(BUSINESS)
        if self.random.random() < 0.92:
            more = {} if business is None else {"business": business}
            await self._hall.do("take", ticket=ticket, **more)
        self.business[ticket] = business
        if self.random.random() < 0.03:
            return  # the queue system forgets this one: it waits until the night
        self.queue.append(ticket)
        if self.random.random() < 0.08:
            self._after(60, 900, lambda: self._give_up(ticket))
        for window in self.windows.values():
            await self._call(window)

    async def _give_up(self, ticket: str) -> None:
        if ticket in self.queue:
            self.queue.remove(ticket)
            await self._hall.send("cancel", ticket=ticket)

    async def _call(self, window: Window, over: bool = False) -> None:
        if not window.open or not self.queue or (window.ticket and not over):
            return
        await self._prompt_over(window, "next")
        ticket = window.ticket = self.queue.pop(0)
        business = self.business[ticket]
        # Some queue systems say the business with the call, and some only with the take.
        more = {"business": business} if business and self.random.random() < 0.5 else {}
        await self._hall.do("call", ticket=ticket, window=window.id, **more)
        self._coming(window)

    def _coming(self, window: Window) -> None:
        ticket = window.ticket

        async def no_show() -> None:
            if window.ticket == ticket:
                window.ticket = None
                await self._hall.do("no_show", window=window.id)
                await self._call(window)

        async def start() -> None:
            if window.ticket == ticket:
                await self._hall.do("start", window=window.id)
                self._serving(window)

        async def without_start() -> None:
            if window.ticket == ticket:
                await self._next(window)

        chance = self.random.random()
        if chance < 0.08:
            self._after(45, 90, no_show)
        elif chance < 0.12:
            self._after(200, 600, without_start)
        else:
            self._after(5, 50, start)

    async def _next(self, window: Window) -> None:
        """The next call, over the head of the ticket that is there; or else its no-show."""
        if self.queue and window.open:
            await self._call(window, over=True)
        else:
            window.ticket = None
            await self._hall.send("no_show", window=window.id)

    def _serving(self, window: Window) -> None:
        ticket = window.ticket
        long = min(self.random.lognormvariate(0, 0.8) * 500 / self._rush, 5400)
        limit = 300  # what a payment may take, to the ms
        chance = self.random.random()
        seconds = 5 if chance < 0.04 else limit if chance < 0.07 else long

        async def end() -> None:
            if window.ticket != ticket:
                return
            idle = [w for w in self.windows.values() if w.open and not w.ticket and w is not window]
            chance = self.random.random()
            if chance < 0.1 and idle:
                await self._transfer(window, idle[0])
            elif chance < 0.2 and self.queue and window.open:
                await self._call(window, over=True)
            elif chance < 0.205:
                window.ticket = None  # nobody ends it: the next call does, perhaps tomorrow
            else:
                await self._end(window)

        self._after(seconds, seconds if seconds == limit else seconds + 1, end)

    async def _transfer(self, window: Window, to: Window) -> None:
        reply = await self._hall.send("transfer", window=window.id, to=to.id)
        if reply is None or not reply["ok"]:  # somebody forgot to end there
            return await self._end(window)
        await self._prompt_over(to, "next")
        window.ticket, to.ticket = None, window.ticket
        self._coming(to)
        await self._call(window)
        return None

    async def _end(self, window: Window) -> None:
        window.ticket = None
        await self._hall.do("end", window=window.id)
        if window.id != "3":
            prompt = Prompt(self._hall.desired(f"kp-{window.id}")["rev"])
            window.prompt = prompt
            self._customer(window, prompt)
        self._after(1, 40, lambda: self._call(window))

    # Ratings.

    def _key(self, keys: int) -> int:
        return min(int(self.random.expovariate(0.9)) + 1, keys)

    def _customer(self, window: Window, prompt: Prompt) -> None:
        chance = self.random.random()
        if chance < 0.55:
            self._after(1, 25, lambda: self._press(window, prompt))
        elif chance < 0.62:
            for after in (2.0, 2.3, 2.6, 3.0):
                self._after(after, after, lambda: self._press(window, prompt))
        elif chance < 0.65:
            self._after(40, 60, lambda: self._stray(window, prompt))
        self._after(30, 30, lambda: self._time_out(window, prompt))

    async def _press(self, window: Window, prompt: Prompt) -> None:
        source = self._sources[f"kp-{window.id}"]
        if window.prompt is not prompt:
            return await self._stray(window, prompt)
        key = prompt.last_key = self._key(5)
        await source.tell("press", {"key": key, "session": prompt.rev})
        if prompt.first is None:
            prompt.first = self.clock.now
            if self.random.random() < 0.15:
                self._after(1, 2.5, lambda: self._press(window, prompt))
            self._after(3, 3, lambda: self._locked(window, prompt))
        return None

    async def _stray(self, window: Window, prompt: Prompt) -> None:
        session = prompt.rev if self.random.random() < 0.5 else None
        data = {"key": self._key(5), "session": session}
        await self._sources[f"kp-{window.id}"].tell("press", data)

    async def _locked(self, window: Window, prompt: Prompt) -> None:
        if window.prompt is prompt:
            await self._prompt_over(window, "lock")
            if window.id == "1" and prompt.last_key >= 4 and self.random.random() < 0.7:
                data = {"key": self._key(5), "session": prompt.rev}
                source = self._sources[f"kp-{window.id}"]
                self._after(1, 8, lambda: source.tell("reason", data))

    async def _time_out(self, window: Window, prompt: Prompt) -> None:
        if window.prompt is prompt and prompt.first is None:
            await self._prompt_over(window, "end")

    async def _prompt_over(self, window: Window, why: str) -> None:
        prompt, window.prompt = window.prompt, None
        if prompt is not None:
            source = self._sources[f"kp-{window.id}"]
            if self.random.random() < 0.02:
                await source.tell("fault", {"code": "key_stuck", "value": prompt.last_key or 1})
            await source.tell("close", _close(prompt.rev, why))


def _close(session: int | None, why: str) -> dict[str, Any]:
    return {"session": session, "why": why}
