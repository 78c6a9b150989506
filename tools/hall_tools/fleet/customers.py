"""Customers of a simulated hall: they come, wait, are served, and press, or do none of it.

Here: what one customer after the other does, drawn from the hall's seed. Not here: opening hours
and clerks (hall_days.py).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hall_tools.fleet.hall_days import HallDays

BUSINESS = ["缴费", "缴费", "过户", "报装", None]


@dataclass(frozen=True)
class Habits:
    """Of a hall's customers: how many a day, how likely one presses when asked, how little a mark
    worse than the best is likely (the rate of an exponential distribution), and how long a service
    takes in the middle (median, s)."""

    customers: int = 150
    presses: float = 0.55
    content: float = 0.9
    service_s: float = 500


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


class Customers:
    """Those of a hall's day."""

    def __init__(self, days: HallDays) -> None:
        self._days = days
        self.random = days.random
        self.letter = "A"
        """Of their tickets."""
        self._keypads = {
            device.window: device.id
            for device in days.plan.devices.values()
            if device.role == "keypad" and device.window not in days.plan.free
        }
        self.free = sorted(
            device.id
            for device in days.plan.devices.values()
            if device.role == "keypad" and device.window in days.plan.free
        )
        """Keypads where nobody asks."""

    def new_day(self) -> None:
        self.queue: list[str] = []
        self.business: dict[str, str | None] = {}
        self.number = itertools.count(1)

    def keypad(self, window: Window) -> str | None:
        """The device that asks at a window."""
        return self._keypads.get(window.id)

    async def arrive(self) -> None:
        days = self._days
        await days.sources["door"].tell("passage", {"dir": "in"})
        if self.random.random() < 0.2:
            await days.core.tick()
        days.after(300, 3000, lambda: days.sources["door"].tell("passage", {"dir": "out"}))
        if self.random.random() < 0.1:
            await days.sources["vip"].tell("passage", {"dir": "in"})
        if self.random.random() < 0.1:
            source = days.sources[self.free[0]]
            await source.tell("press", {"key": self._key(3), "session": None})
            days.after(3, 3, lambda: source.tell("close", _close(None, "lock")))
            return
        ticket = f"{self.letter}{next(self.number):03}"
        business = self.random.choice(BUSINESS)
        if self.random.random() < 0.92:
            more = {} if business is None else {"business": business}
            await days.hall.do("take", ticket=ticket, **more)
        self.business[ticket] = business
        if self.random.random() < 0.03:
            return  # the queue system forgets this one: it waits until the night
        self.queue.append(ticket)
        if self.random.random() < 0.08:
            days.after(60, 900, lambda: self._give_up(ticket))
        for window in days.windows.values():
            await self.call(window)

    async def _give_up(self, ticket: str) -> None:
        if ticket in self.queue:
            self.queue.remove(ticket)
            await self._days.hall.send("cancel", ticket=ticket)

    async def call(self, window: Window, over: bool = False) -> None:
        """The next of the queue, when the window is free, or `over` the ticket that is there."""
        if not window.open or not self.queue or (window.ticket and not over):
            return
        await self._prompt_over(window, "next")
        ticket = window.ticket = self.queue.pop(0)
        business = self.business[ticket]
        # Some queue systems say the business with the call, and some only with the take.
        more = {"business": business} if business and self.random.random() < 0.5 else {}
        await self._days.hall.do("call", ticket=ticket, window=window.id, **more)
        self._coming(window)

    def _coming(self, window: Window) -> None:
        ticket, days = window.ticket, self._days

        async def no_show() -> None:
            if window.ticket == ticket:
                window.ticket = None
                await days.hall.do("no_show", window=window.id)
                await self.call(window)

        async def start() -> None:
            if window.ticket == ticket:
                await days.hall.do("start", window=window.id)
                self._serving(window)

        async def without_start() -> None:
            if window.ticket == ticket:
                await self._next(window)

        chance = self.random.random()
        if chance < 0.08:
            days.after(45, 90, no_show)
        elif chance < 0.12:
            days.after(200, 600, without_start)
        else:
            days.after(5, 50, start)

    async def _next(self, window: Window) -> None:
        """The next call, over the head of the ticket that is there; or else its no-show."""
        if self.queue and window.open:
            await self.call(window, over=True)
        else:
            window.ticket = None
            await self._days.hall.send("no_show", window=window.id)

    def _serving(self, window: Window) -> None:
        ticket, days = window.ticket, self._days
        median = days.habits.service_s / days.rush
        long = min(self.random.lognormvariate(0, 0.8) * median, 5400)
        limit = 300  # what a payment may take, to the ms
        chance = self.random.random()
        seconds = 5 if chance < 0.04 else limit if chance < 0.07 else long

        async def end() -> None:
            if window.ticket != ticket:
                return
            windows = days.windows.values()
            idle = [w for w in windows if w.open and not w.ticket and w is not window]
            chance = self.random.random()
            if chance < 0.1 and idle:
                await self._transfer(window, idle[0])
            elif chance < 0.2 and self.queue and window.open:
                await self.call(window, over=True)
            elif chance < 0.205:
                window.ticket = None  # nobody ends it: the next call does, perhaps tomorrow
            else:
                await self._end(window)

        days.after(seconds, seconds if seconds == limit else seconds + 1, end)

    async def _transfer(self, window: Window, to: Window) -> None:
        reply = await self._days.hall.send("transfer", window=window.id, to=to.id)
        if reply is None or not reply["ok"]:  # somebody forgot to end there
            return await self._end(window)
        await self._prompt_over(to, "next")
        window.ticket, to.ticket = None, window.ticket
        self._coming(to)
        await self.call(window)
        return None

    async def _end(self, window: Window) -> None:
        window.ticket = None
        await self._days.hall.do("end", window=window.id)
        keypad = self.keypad(window)
        if keypad is not None:
            prompt = Prompt(self._days.hall.desired(keypad)["rev"])
            window.prompt = prompt
            self._asked(window, keypad, prompt)
        self._days.after(1, 40, lambda: self.call(window))

    # Ratings.

    def _key(self, keys: int) -> int:
        return min(int(self.random.expovariate(self._days.habits.content)) + 1, keys)

    def _asked(self, window: Window, keypad: str, prompt: Prompt) -> None:
        days, presses = self._days, self._days.habits.presses
        chance = self.random.random()
        if chance < presses:
            days.after(1, 25, lambda: self._press(window, keypad, prompt))
        elif chance < presses + 0.07:
            for after in (2.0, 2.3, 2.6, 3.0):
                days.after(after, after, lambda: self._press(window, keypad, prompt))
        elif chance < presses + 0.1:
            days.after(40, 60, lambda: self._stray(keypad, prompt))
        days.after(30, 30, lambda: self._time_out(window, prompt))

    async def _press(self, window: Window, keypad: str, prompt: Prompt) -> None:
        days = self._days
        if window.prompt is not prompt:
            return await self._stray(keypad, prompt)
        key = prompt.last_key = self._key(5)
        await days.sources[keypad].tell("press", {"key": key, "session": prompt.rev})
        if prompt.first is None:
            prompt.first = days.clock.now
            if self.random.random() < 0.15:
                days.after(1, 2.5, lambda: self._press(window, keypad, prompt))
            days.after(3, 3, lambda: self._locked(window, prompt))
        return None

    async def _stray(self, keypad: str, prompt: Prompt) -> None:
        session = prompt.rev if self.random.random() < 0.5 else None
        data = {"key": self._key(5), "session": session}
        await self._days.sources[keypad].tell("press", data)

    async def _locked(self, window: Window, prompt: Prompt) -> None:
        if window.prompt is not prompt:
            return
        await self._prompt_over(window, "lock")
        keypad = self.keypad(window) or ""
        asks = self._days.plan.devices[keypad].reason(1) is not None
        if asks and prompt.last_key >= 4 and self.random.random() < 0.7:
            data = {"key": self._key(5), "session": prompt.rev}
            source = self._days.sources[keypad]
            self._days.after(1, 8, lambda: source.tell("reason", data))

    async def _time_out(self, window: Window, prompt: Prompt) -> None:
        if window.prompt is prompt and prompt.first is None:
            await self._prompt_over(window, "end")

    async def _prompt_over(self, window: Window, why: str) -> None:
        prompt, window.prompt = window.prompt, None
        keypad = self.keypad(window)
        if prompt is not None and keypad is not None:
            source = self._days.sources[keypad]
            if self.random.random() < 0.02:
                await source.tell("fault", {"code": "key_stuck", "value": prompt.last_key or 1})
            await source.tell("close", _close(prompt.rev, why))


def _close(session: int | None, why: str) -> dict[str, Any]:
    return {"session": session, "why": why}
