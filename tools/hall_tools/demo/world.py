"""The people of the demo: customers, clerks and a child.

Here: what they do, in the order of the plan, and what becomes true by it. Not here: what they will
do (plan.py), how they touch a device (stations.py), who mops (housekeeping.py), and what the
gateway makes of it.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field

from hall_tools.demo.hall_client import CommandError, HallClient
from hall_tools.demo.housekeeping import Housekeeping
from hall_tools.demo.keypads import Keypad
from hall_tools.demo.layout import RATING_WINDOW_S, STAFF
from hall_tools.demo.opening_hours import OpeningHours
from hall_tools.demo.plan import Press, Visit
from hall_tools.demo.sensors import Door
from hall_tools.demo.stations import Display
from hall_tools.demo.truth import Ledger

LOOK_S = 5.0
"""A customer who does not see the own number for so long never does, and the run has failed."""

MOST_WAITING = 6
"""When so many wait, nobody else comes in."""


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
        self,
        client: HallClient,
        windows: list[Window],
        door: Door,
        housekeeping: Housekeeping,
        ledger: Ledger,
        hours: OpeningHours,
    ) -> None:
        self.windows = windows
        self.failures: list[str] = []
        self._client = client
        self._door = door
        self._housekeeping = housekeeping
        self._ledger = ledger
        self._hours = hours
        self._waiting: asyncio.Queue[Visit] = asyncio.Queue(MOST_WAITING)
        self._transfer = asyncio.Lock()

    async def run(self, visits: Iterator[Visit], seed: int) -> None:
        """Until closing time, and then until everybody has finished what was begun."""
        async with self._hours.open():
            for window in self.windows:
                self._hours.begin(self._clerk(window))
            self._hours.begin(self._arrivals(visits))
            self._housekeeping.begin(seed)

    async def _arrivals(self, visits: Iterator[Visit]) -> None:
        for visit in visits:
            await self._hours.pause(visit.gap_s)
            if visit.turns_back:
                await self._door.turn_back(visit.passage_ms)
            if visit.lingers_ms:
                await self._door.linger(visit.lingers_ms)
            await self._door.cross("in", visit.passage_ms)
            await self._take(visit)
            await self._hours.while_open(self._waiting.put(visit))
            if visit.conduct == "leaves":
                self._hours.begin(self._walk_out(visit, after_s=visit.walk_s))

    async def _take(self, visit: Visit) -> None:
        """The customer takes a ticket at the entrance."""
        now = time.monotonic()
        try:
            await self._client.command("take", ticket=visit.ticket)
        except CommandError as error:
            self.failures.append(str(error))
        else:
            self._ledger.note("ticket.taken", visit.ticket, at=now)

    async def _walk_out(self, visit: Visit, after_s: float) -> None:
        await self._hours.pause(after_s)
        await self._door.cross("out", visit.passage_ms)

    async def _clerk(self, window: Window) -> None:
        now = time.monotonic()
        await self._client.command("staff", window=window.id, staff=STAFF[window.id])
        self._ledger.note("window.opened", window.id, at=now)
        while True:
            visit = await self._hours.while_open(self._waiting.get())
            async with window.clerk:
                self._hours.only_while_open()
                try:
                    await self._serve(window, visit)
                except CommandError as error:
                    self.failures.append(str(error))

    async def _serve(self, window: Window, visit: Visit) -> None:
        await window.keypad.clear()
        now = time.monotonic()
        window.keypad.judge.called(now)
        call = self._client.command("call", window=window.id, ticket=visit.ticket)
        await self._ask(window, visit, call)
        self._ledger.note("ticket.called", window.id, visit.ticket, at=now)
        window.become("called", visit.ticket)
        if visit.conduct in ("slow", "leaves"):
            # Longer than the number blinks, so that a second look finds something new.
            await self._hours.pause(3.3)
            await self._ask(window, visit, self._client.command("recall", window=window.id))
        if visit.conduct == "leaves":
            await self._hours.pause(1.0)
            now = time.monotonic()
            await self._client.command("no_show", window=window.id)
            self._ended(window, visit, "no_show", now)
            window.become("idle", None)
            return
        await self._hours.pause(visit.walk_s)
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
        served = time.monotonic() + visit.serve_s
        await self._play(window, visit.child)
        await self._hours.pause(max(0.0, served - time.monotonic()))

    async def _play(self, window: Window, presses: Sequence[Press]) -> None:
        """A child at the keypad."""
        for press in presses:
            await self._hours.pause(press.after_s)
            await window.keypad.press(press)

    async def _serve_elsewhere(self, window: Window, visit: Visit) -> None:
        other = next(each for each in self.windows if each is not window)
        # One transfer at a time: two clerks who wait for each other would wait for ever.
        async with self._transfer, other.clerk:
            self._hours.only_while_open()
            await other.keypad.clear()
            now = time.monotonic()
            other.keypad.judge.called(now)
            transfer = self._client.command("transfer", window=window.id, to=other.id)
            await self._ask(other, visit, transfer)
            self._ledger.note("ticket.called", other.id, visit.ticket, at=now)
            self._ended(window, visit, "transfer", now)
            window.become("idle", None)
            other.become("called", visit.ticket)
            await self._hours.pause(visit.walk_s)
            await self._start(other, visit)
            await self._finish(other, visit)

    async def _finish(self, window: Window, visit: Visit) -> None:
        now = time.monotonic()
        await self._client.command("end", window=window.id)
        self._ended(window, visit, "completed", now)
        keypad = window.keypad
        keypad.asks(self._ledger.occasion(window.id, visit.ticket, now, RATING_WINDOW_S))
        window.become("rating", visit.ticket)
        rated = asyncio.Event()
        self._hours.begin(self._rate_and_leave(window, visit, rated))
        await self._hours.pause(visit.tidy_s)
        # Nobody is called while somebody still stands there with a finger on a key.
        await self._hours.while_open(rated.wait())
        for press in visit.clerk:
            await self._press_unasked(keypad, press)

    def _ended(self, window: Window, visit: Visit, reason: str, at: float) -> None:
        self._ledger.note("service.ended", window.id, visit.ticket, reason, at=at)

    async def _rate_and_leave(self, window: Window, visit: Visit, rated: asyncio.Event) -> None:
        keypad = window.keypad
        if visit.rating:
            await self._wait_for_lamps(keypad, visit)
        await self._play(window, visit.child_first)
        if visit.together:
            await self._hours.pause(visit.together[0].after_s)
            await keypad.press_together(*visit.together)
        if visit.child_first or visit.together:
            await self._wait_for_lamps(keypad, visit)
        for number, press in enumerate(visit.rating):
            if number and visit.conduct == "presses_late":
                await self._press_unasked(keypad, press)
            else:
                await self._hours.pause(press.after_s)
                await keypad.press(press)
        rated.set()
        await self._walk_out(visit, after_s=visit.walk_s)

    async def _wait_for_lamps(self, keypad: Keypad, visit: Visit) -> None:
        """The customer waits until the child has gone, and until all lamps ask."""
        await self._hours.pause(keypad.judge.calm_s(time.monotonic()))
        try:
            async with asyncio.timeout(LOOK_S):
                await self._hours.while_open(keypad.invited())
        except TimeoutError:
            device = keypad.place.device
            self.failures.append(f"{device} never invited {visit.ticket} to rate")

    async def _press_unasked(self, keypad: Keypad, press: Press) -> None:
        """Presses when the rating is over, and the last call long ago."""
        await self._hours.pause(keypad.judge.alone_s(time.monotonic()) + press.after_s)
        await keypad.press(press)
