"""The people of the demo: customers, clerks, a child, a cleaner.

Here: what they do, in the order of the plan, and what becomes true by it. Not here: what they will
do (plan.py), how they touch a device (stations.py), and what the gateway makes of it.
"""

import asyncio
import time
from collections.abc import Awaitable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hall_tools.demo.hall_client import CommandError, HallClient
from hall_tools.demo.layout import RATING_WINDOW_S, STAFF
from hall_tools.demo.plan import Mopping, Visit
from hall_tools.demo.stations import Display, Door, Floor, Keypad
from hall_tools.demo.truth import Ledger, Occasion

T = TypeVar("T")

LOOK_S = 5.0
"""A customer who does not see the own number for so long never does, and the run has failed."""


DEBOUNCED_S = 0.1
"""After this time a key that was let go is known to be up."""

MOST_WAITING = 6
"""When so many wait, nobody else comes in."""

DRYING_STEPS = 8


class HallClosedError(Exception):
    """It is closing time: nobody begins anything new."""


@dataclass
class Window:
    """A service window, as its clerk and the queue system know it. `since` is monotonic s."""

    id: str
    display: Display
    keypad: Keypad
    ticket: str | None = None
    state: str = "idle"
    since: float = 0.0
    clerk: asyncio.Lock = field(default_factory=asyncio.Lock)

    def become(self, state: str, ticket: str | None) -> None:
        self.state, self.ticket, self.since = state, ticket, time.monotonic()
        self.display.changed()


class World:
    """Everybody in the hall. `failures` says in words what a customer had to complain about."""

    def __init__(
        self, client: HallClient, windows: list[Window], door: Door, floor: Floor, ledger: Ledger
    ) -> None:
        self.windows = windows
        self.failures: list[str] = []
        self._client = client
        self._door = door
        self._floor = floor
        self._ledger = ledger
        self._waiting: asyncio.Queue[Visit] = asyncio.Queue(MOST_WAITING)
        self._transfer = asyncio.Lock()
        self._closing = asyncio.Event()
        self._people: asyncio.TaskGroup

    async def run(self, visits: Iterator[Visit], moppings: Iterator[Mopping]) -> None:
        """Until close(), and then until everybody has finished what was begun."""
        async with asyncio.TaskGroup() as self._people:
            for window in self.windows:
                self._begin(self._clerk(window))
            self._begin(self._arrivals(visits))
            self._begin(self._cleaner(moppings))

    def close(self) -> None:
        """Closing time."""
        self._closing.set()

    def _begin(self, act: Coroutine[Any, Any, None]) -> None:
        async def until_closed() -> None:
            with suppress(HallClosedError):
                await act

        self._people.create_task(until_closed())

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        self._only_while_open()

    def _only_while_open(self) -> None:
        if self._closing.is_set():
            raise HallClosedError

    async def _while_open(self, wish: Awaitable[T]) -> T:
        wished = asyncio.ensure_future(wish)
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait({wished, closing}, return_when=asyncio.FIRST_COMPLETED)
            if not wished.done():
                raise HallClosedError
            return wished.result()
        finally:
            wished.cancel()
            closing.cancel()

    async def _arrivals(self, visits: Iterator[Visit]) -> None:
        for visit in visits:
            await self._pause(visit.gap_s)
            if visit.turns_back:
                await self._door.turn_back(visit.passage_ms)
            await self._door.cross("in", visit.passage_ms)
            await self._while_open(self._waiting.put(visit))
            if visit.conduct == "leaves":
                self._begin(self._walk_out(visit, after_s=visit.walk_s))

    async def _walk_out(self, visit: Visit, after_s: float) -> None:
        await self._pause(after_s)
        await self._door.cross("out", visit.passage_ms)

    async def _clerk(self, window: Window) -> None:
        await self._client.command("staff", window=window.id, staff=STAFF[window.id])
        while True:
            visit = await self._while_open(self._waiting.get())
            async with window.clerk:
                self._only_while_open()
                try:
                    await self._serve(window, visit)
                except CommandError as error:
                    self.failures.append(str(error))

    async def _serve(self, window: Window, visit: Visit) -> None:
        call = self._client.command("call", window=window.id, ticket=visit.ticket)
        await self._ask(window, visit, call)
        window.become("called", visit.ticket)
        if visit.conduct in ("slow", "leaves"):
            # Longer than the number blinks, so that a second look finds something new.
            await self._pause(3.3)
            await self._ask(window, visit, self._client.command("recall", window=window.id))
        if visit.conduct == "leaves":
            await self._pause(1.0)
            now = time.monotonic()
            await self._client.command("no_show", window=window.id)
            self._ended(window, visit, "no_show", now)
            window.become("idle", None)
            return
        await self._pause(visit.walk_s)
        await self._start(window, visit)
        if visit.conduct == "transferred" and not self._transfer.locked():
            await self._serve_elsewhere(window, visit)
        else:
            await self._finish(window, visit)

    async def _ask(self, window: Window, visit: Visit, order: Awaitable[object]) -> None:
        """Gives an order that shows the ticket, and waits until its customer sees it."""
        try:
            async with window.display.shows(visit.ticket, LOOK_S):
                await order
        except TimeoutError:
            self.failures.append(f"{visit.ticket} never appeared on {window.display.place.device}")

    async def _start(self, window: Window, visit: Visit) -> None:
        now = time.monotonic()
        await self._client.command("start", window=window.id)
        self._ledger.note("service.started", window.id, visit.ticket, at=now)
        window.become("serving", visit.ticket)
        for press in visit.child:
            await self._pause(press.after_s)
            await window.keypad.press(press, None)
        await self._pause(visit.serve_s - sum(press.after_s for press in visit.child))

    async def _serve_elsewhere(self, window: Window, visit: Visit) -> None:
        other = next(each for each in self.windows if each is not window)
        # One transfer at a time: two clerks who wait for each other would wait for ever.
        async with self._transfer, other.clerk:
            self._only_while_open()
            now = time.monotonic()
            transfer = self._client.command("transfer", window=window.id, to=other.id)
            await self._ask(other, visit, transfer)
            self._ended(window, visit, "transfer", now)
            window.become("idle", None)
            other.become("called", visit.ticket)
            await self._pause(visit.walk_s)
            await self._start(other, visit)
            await self._finish(other, visit)

    async def _finish(self, window: Window, visit: Visit) -> None:
        now = time.monotonic()
        await self._client.command("end", window=window.id)
        self._ended(window, visit, "completed", now)
        occasion = self._ledger.occasion(window.id, visit.ticket, now, RATING_WINDOW_S)
        window.become("rating", visit.ticket)
        rated = asyncio.Event()
        self._begin(self._rate_and_leave(window, visit, occasion, rated))
        await self._pause(visit.tidy_s)
        # Nobody is called while somebody still stands there with a finger on a key.
        await self._while_open(rated.wait())

    def _ended(self, window: Window, visit: Visit, reason: str, at: float) -> None:
        self._ledger.note("service.ended", window.id, visit.ticket, reason, at=at)

    async def _rate_and_leave(
        self, window: Window, visit: Visit, occasion: Occasion, rated: asyncio.Event
    ) -> None:
        if visit.rating:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._while_open(window.keypad.invited())
            except TimeoutError:
                device = window.keypad.place.device
                self.failures.append(f"{device} never invited {visit.ticket} to rate")
        for press in visit.rating:
            await self._pause(press.after_s)
            await window.keypad.press(press, occasion)
            await self._pause(press.hold_ms / 1000 + DEBOUNCED_S)
        rated.set()
        await self._walk_out(visit, after_s=visit.walk_s)

    async def _cleaner(self, moppings: Iterator[Mopping]) -> None:
        for mopping in moppings:
            await self._pause(mopping.after_s)
            await self._floor.set_ohms(mopping.ohms, time.monotonic())
            await self._pause(mopping.stays_s)
            for ohms in _drying(mopping.ohms):
                await self._pause(mopping.dries_s / DRYING_STEPS)
                await self._floor.set_ohms(ohms, time.monotonic())


def _drying(ohms: int) -> Iterator[int]:
    """The resistance while the water goes: the same factor at every step."""
    factor = (Floor.DRY_OHMS / ohms) ** (1 / DRYING_STEPS)
    for step in range(1, DRYING_STEPS + 1):
        yield round(ohms * factor**step)
