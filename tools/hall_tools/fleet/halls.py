"""A simulated hall with its gateway's real core and store, without firmware and brokers.

Here: filling its store with days that are over, going on from there, and what its store promised.
Not here: what happens on a day (hall_days.py), what stands in the hall (places.py), the sink that
takes its events away (links.py).
"""

import asyncio
import json
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from hall_gateway import rules_file
from hall_gateway.core import Core
from hall_gateway.hall_clock import HallClock
from hall_gateway.heart import Heart
from hall_gateway.schema import open_store
from hall_gateway.store_sinks import SinkPlan

from hall_tools.fleet.hall_days import DAY, HOUR, MINUTE, HallDays
from hall_tools.fleet.hands import GoingClock, QueueSystem
from hall_tools.fleet.places import Place

SINK = "jetstream"
STORE_MB = 256
_CLOCK = HallClock(reset_hour=0)
_QUARTER = 15 * MINUTE


class SimulatedHall:
    """`place`, with its store in `folder`/{hall}.db; `run` tells this process from those before,
    whose devices had journals of their own. `rules`: whether the shipped rules are followed.

    `async with` opens and closes the core. Raises what Core.start() raises.
    """

    def __init__(
        self, place: Place, folder: Path, seed: int, run: int, *, rules: bool = False
    ) -> None:
        self.place = place
        self.path = folder / f"{place.hall}.db"
        self.clock = GoingClock(_now())
        self.days = HallDays(place.plan, place.served, seed, self.clock, place.habits)
        self.days.epoch = run
        self._rules = rules
        self._chance = random.Random(seed)
        self._passages = 0

    async def __aenter__(self) -> "SimulatedHall":
        self._runs = self._count()
        if not self.path.exists():
            self.path.write_bytes(_empty_store())
        self.days.customers.letter = self._letter(0)
        self.core = Core(self.place.plan, self.path, STORE_MB, self.clock)
        await self.core.start()
        await self.core.do(
            lambda heart, now: heart.sinks.declare({SINK: SinkPlan(from_oldest=True)}, now)
        )
        if self._rules:
            shipped = rules_file.shipped()
            await self.core.do(lambda heart, _: heart.follow_rules(shipped))
        self._queue = QueueSystem(self.core, self.clock, f"r{self.days.epoch:x}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.core.close()

    def _count(self) -> int:
        """How many runs there were on this store; this one is counted, too."""
        counted = self.path.with_suffix(".runs")
        runs = int(counted.read_text(encoding="ascii")) if counted.exists() else 0
        counted.write_text(f"{runs + 1}", encoding="ascii")
        return runs

    @property
    def waiting(self) -> int:
        """Events that the sink has not moved its cursor past."""
        outbox = cast("dict[str, int]", self.core.health().get("outbox", {}))
        return outbox.get(SINK, 0)

    async def begin(self, days_ago: int) -> None:
        """The devices start so many days ago; quarter() goes on from there."""
        self._today = _CLOCK.began(_now())
        self.clock.now = self._today - days_ago * DAY
        await self.days.begin(self.core, self._queue)

    async def quarter(self) -> None:
        """The next quarter of an hour. Raises ValueError when today would begin."""
        if self.clock.now >= self._today:
            raise ValueError(f"{self.place.hall} has no more days that are over")
        if (self._today - self.clock.now) % DAY == 0:
            # Not every tenth is a rush: a fleet's figures are of days like any other.
            self.days.plan_day(self.clock.now, 10 * (self._today - self.clock.now) // DAY + 1)
        await self._pass(self.clock.now + _QUARTER)

    @property
    def open(self) -> bool:
        """Whether customers may be there, by the clock of its days."""
        at = self.clock.now - _CLOCK.began(self.clock.now)
        return self.days.opens - HOUR <= at <= self.days.closes + HOUR

    async def fill(self, events: int, days_ago: int) -> None:
        """Days from so many days ago on, one after the other, until `events` of them wait. Raises
        ValueError when they would reach into today."""
        await self.begin(days_ago)
        while self.waiting < events:
            await self.quarter()

    async def _pass(self, until: int) -> None:
        """A quarter of an hour; the gateway itself ticks once a second."""
        await self.days.live(until)
        self.clock.now = until
        await self.core.tick()

    async def catch_up(self, stop: asyncio.Event) -> None:
        """Yesterday, and today up to now, or until `stop` is set: in a hall that had a run before,
        nothing. The hall is open now, whatever the time."""
        now = _now()
        today = _CLOCK.began(now)
        length = self.days.closes - self.days.opens
        self.clock.now = now if self._runs else today - DAY
        await self.days.begin(self.core, self._queue)
        if not self._runs:
            self.days.plan_day(today - DAY, 1)
            await self._hurry(lambda: today, stop)
        if not today + self.days.opens <= now - HOUR <= today + self.days.closes - 2 * HOUR:
            self.days.opens = min(max(now - today - 3 * HOUR, HOUR), DAY - length - HOUR)
            self.days.closes = self.days.opens + length
        self.days.customers.letter = self._letter(1)
        if self._runs:
            await self.days.join_day(today, 2)
        else:
            self.days.plan_day(today, 2)
            self._spill(today)
            await self._hurry(_now, stop)

    def _letter(self, day: int) -> str:
        """Of the tickets of this run's day 0 or 1: what waits from a day or a run before, which may
        be for as long as a whole day, has another."""
        return chr(ord("A") + (2 * self._runs + day) % 26)

    async def _hurry(self, until: Callable[[], int], stop: asyncio.Event) -> None:
        while self.clock.now < until() and not stop.is_set():
            await self._pass(min(self.clock.now + _QUARTER, until()))

    async def here(self) -> None:
        """The devices say that they are there, and what they are."""
        for id, source in self.days.sources.items():
            journal = {"epoch": self.days.epoch, "acked": source.acked, "next": source.acked + 1}
            away = self._chance.random() < 0.02
            state: dict[str, object] = {
                "rev": None,
                "journal": {**journal, "lost": 0},
                "health": {"up_s": 86_400, "boot": 1, "cause": "power_on", "errors": []},
                "fw": "0.1.0" if self._chance.random() < 0.2 else "0.2.0",
            }
            await self.core.state(id, json.dumps(state).encode())
            await self.core.online(id, not away)

    async def go_on(self, stop: asyncio.Event) -> None:
        """Live on the real clock, which goes by itself now, until `stop` is set."""
        day = 3
        while not stop.is_set():
            tomorrow = _CLOCK.began(_now()) + DAY
            await self.days.go_on(stop, until=tomorrow)
            if not stop.is_set():
                self.days.plan_day(tomorrow, day)
                self._spill(tomorrow)
                day += 1

    def _spill(self, midnight: int) -> None:
        """On some days something is spilt, and wiped up half an hour later."""
        if self._chance.random() < 0.4:
            floor = self.days.sources["floor"]
            at = midnight + self.days.opens + self._chance.randrange(6 * HOUR)
            self.days.at(at, lambda: floor.tell("wet", {"ohms": 4200}))
            self.days.at(at + 30 * MINUTE, lambda: floor.tell("dry", {"ohms": 250_000}))

    async def hold(self) -> None:
        """The sink wants nothing until release(): it may be connected, and tells nothing."""
        plans = {SINK: SinkPlan(types=("hall.held.back",), from_oldest=True)}
        await self.core.do(lambda heart, now: heart.sinks.declare(plans, now))

    async def release(self) -> None:
        """The sink wants all, from where its cursor is."""
        plans = {SINK: SinkPlan(from_oldest=True)}

        def again(heart: Heart, now: int) -> None:
            heart.sinks.taken_back()  # what it has passed over, and not written down
            heart.sinks.declare(plans, now)

        await self.core.do(again)
        self.core.signals.outbox.set()

    async def in_order(self) -> None:
        """No device is cut off any more, and each knows the time."""
        for source in self.days.sources.values():
            source.told_time = True
            await source.deliver()

    async def passage(self) -> None:
        """Somebody comes in, now."""
        self._passages += 1
        direction = "in" if self._passages % 2 else "out"
        await self.days.sources["door"].tell("passage", {"dir": direction})

    def acked(self) -> list[str]:
        """The ids of what the gateway acked to two of its devices, each of which is an event: what
        must be among the store's promises, whatever that says."""
        doors = (self.days.sources[id] for id in ("door", "vip"))
        return [f"{d.id}/{self.days.epoch:08x}/{n}" for d in doors for n in range(1, d.acked + 1)]


def promised(store: Path) -> dict[str, bytes]:
    """Every CloudEvent of a hall's store by its id, as its gateway committed it."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT id, body FROM outbox ORDER BY position"))


def new_run() -> int:
    """An epoch for the devices of a process."""
    return time.time_ns() // 1_000_000_000 & 0xFFFF_FFFF


def _now() -> int:
    return time.time_ns() // 1_000_000


@cache
def _empty_store() -> bytes:
    """What a new store is before anything is in it: to make one takes longer than to copy it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hall.db"
        open_store(path, STORE_MB).close()
        return path.read_bytes()
