"""A busy hall's week in a few minutes: the gateway's core, store, rules and sinks on a moved clock.

Here: the simulated week, and what must be true at its end. Not here: brokers and sockets, which
have no part in it; the figures of a running gateway (gateway.py).

Nothing is held that grows with the week, or the memory measured would be its own: what sinks get is
counted and hashed in its order, and a counter's events have numbers without a gap.
"""

import asyncio
import hashlib
import json
import os
import random
import tempfile
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hall_gateway import rules_file
from hall_gateway.core import Core
from hall_gateway.plan import Plan, PlannedDevice, RatingRules
from hall_gateway.values import OutboxRow
from hall_profiles import load

from hall_tools.bench.gateway_processes import resident_mb

WINDOWS = [str(number) for number in range(1, 9)]
COUNTERS = ["count-1", "count-2"]
FLOORS = ["floor-1", "floor-2"]
EPOCH = 7

MONDAY = 1_799_625_600_000
"""Unix ms of a Monday, 08:00 in China."""
MINUTE_MS = 60_000
DAY_MINUTES = 24 * 60
NIGHT_STEP = 5
"""Minutes between two ticks while the hall is closed."""
AWAY_DAY = 3
"""The day, from 1, on which the second sink takes nothing."""
READ = 500
"""Events that a sink takes at once."""


@dataclass(frozen=True)
class Size:
    """`open_minutes` of each day are busy, with so many `tickets`; the store may take `max_mb`."""

    days: int = 7
    tickets: int = 2000
    open_minutes: int = 510
    max_mb: int = 64


@dataclass
class Day:
    """How things are at its end. `waiting`: events that the sink that was away still has to get."""

    day: int
    events: int
    rss_mb: float
    store_mb: float
    waiting: int
    forgotten: int


@dataclass
class Week:
    """`grown_mb`: resident memory at the end less that after the second day. `problems`: what is
    not as it should be; none is what is wanted."""

    days: list[Day] = field(default_factory=list[Day])
    tickets: int = 0
    passages: int = 0
    presses: int = 0
    delivered: int = 0
    grown_mb: float = 0.0
    max_mb: int = 0
    problems: list[str] = field(default_factory=list[str])

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Sink:
    """One that takes what the outbox has for it, and remembers how much, not what."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.types: Counter[str] = Counter()
        self.order = hashlib.sha256()
        self.faults: list[str] = []
        self._position = 0
        self._seqs: dict[str, int] = {}

    async def take(self, core: Core) -> None:
        """All that waits for it."""
        while rows := await core.outbox(self.name, READ):
            for row in rows:
                self._got(row)
            await core.advance(self.name, rows[-1].position)

    def _got(self, row: OutboxRow) -> None:
        event = json.loads(row.body)
        self.types[event["type"]] += 1
        self.order.update(event["id"].encode())
        if row.position <= self._position:
            self._fault(f"{self.name}: position {row.position} came after {self._position}")
        self._position = row.position
        device, _, seq = event["id"].split("/")
        if device in COUNTERS:
            last = self._seqs.get(device, 0)
            if int(seq) != last + 1:
                self._fault(f"{self.name}: {device} {seq} came after {last}")
            self._seqs[device] = int(seq)

    def _fault(self, fault: str) -> None:
        if len(self.faults) < 10:
            self.faults.append(fault)


class Hall:
    """Devices, people and the queue system, on a clock that `run` moves."""

    def __init__(self, size: Size, rng: random.Random) -> None:
        self.now = MONDAY
        self.tickets = self.passages = self.presses = 0
        self._size = size
        self._rng = rng
        self._seqs: Counter[str] = Counter()
        self._commands = 0
        self._queue: deque[str] = deque()
        self._serving: dict[str, int] = {}  # the minute at which a window's service ends
        self._wet = False

    def clock(self) -> int:
        return self.now

    async def minute(self, core: Core, minute: int) -> None:
        """One busy minute, counted from the start of the week."""
        coming = self._size.tickets / self._size.open_minutes
        arrivals = int(coming) + (self._rng.random() < coming % 1)
        await self._each(self._arrive(core) for _ in range(arrivals))
        done = [window for window, end in self._serving.items() if end <= minute]
        await self._each(self._end(core, window) for window in done)
        free = [window for window in WINDOWS if window not in self._serving]
        pairs = [(window, self._queue.popleft()) for window in free if self._queue]
        for window, _ in pairs:
            self._serving[window] = minute + self._rng.randint(1, 3)
        await self._each(self._call(core, *pair) for pair in pairs)
        if self._rng.random() < 0.004:
            self._wet = not self._wet
            kind = "wet" if self._wet else "dry"
            await core.events("floor-1", [self._event("floor-1", kind, {"ohms": 9000})])

    async def closing(self, core: Core) -> None:
        """Whoever is served is done, whoever waits goes home."""
        await self._each(self._end(core, window) for window in list(self._serving))
        await self._each(self._command(core, "cancel", ticket=t) for t in self._queue)
        self._queue.clear()

    @staticmethod
    async def _each(work: Iterable[Any]) -> None:
        await asyncio.gather(*work)

    async def _arrive(self, core: Core) -> None:
        self.tickets += 1
        ticket = f"A{self.tickets % 10_000:04}"
        self._queue.append(ticket)
        self.passages += 1
        counter = self._rng.choice(COUNTERS)
        passage = self._event(counter, "passage", {"dir": "in"})
        await asyncio.gather(
            core.events(counter, [passage]), self._command(core, "take", ticket=ticket)
        )

    async def _call(self, core: Core, window: str, ticket: str) -> None:
        await self._command(core, "call", window=window, ticket=ticket, staff=f"clerk {window}")
        display = f"disp-{window}"
        rev = json.loads(core.desired()[display])["rev"]
        await core.events(display, [self._event(display, "shown", {"rev": rev})])
        await self._command(core, "start", window=window)

    async def _end(self, core: Core, window: str) -> None:
        del self._serving[window]
        await self._command(core, "end", window=window)
        keypad, counter = f"kp-{window}", self._rng.choice(COUNTERS)
        session = json.loads(core.desired()[keypad])["rev"]
        events: list[bytes] = []
        if self._rng.random() < 0.7:
            self.presses += 1
            key = self._rng.choices([1, 2, 3, 4, 5], [70, 20, 6, 3, 1])[0]  # 1: the best mark
            events.append(self._event(keypad, "press", {"key": key, "session": session}))
        events.append(self._event(keypad, "close", {"session": session, "why": "lock"}, 4000))
        self.passages += 1
        out = self._event(counter, "passage", {"dir": "out"})
        await asyncio.gather(core.events(keypad, events), core.events(counter, [out]))

    def _event(self, device: str, kind: str, data: dict[str, Any], later: int = 0) -> bytes:
        self._seqs[device] += 1
        up = self.now - MONDAY + 10_000 + later
        body = {"epoch": EPOCH, "seq": self._seqs[device], "boot": 1, "up": up}
        return json.dumps({**body, "t": self.now, "kind": kind, "data": data}).encode()

    async def _command(self, core: Core, name: str, **fields: Any) -> None:
        self._commands += 1
        payload = json.dumps({"id": f"w-{self._commands}", **fields}, ensure_ascii=False)
        reply = await core.command(name, payload.encode())
        if reply is None or not json.loads(reply.body)["ok"]:
            raise AssertionError(f"{name} {fields}: {reply}")


def plan() -> Plan:
    """Eight windows with a display and a keypad each, two doors, two floors: 20 devices."""
    display, keypad = load("call-display-p10-64x16"), load("keypad-5")
    devices = [
        *(PlannedDevice(f"disp-{w}", display, f"window/{w}", w) for w in WINDOWS),
        *(PlannedDevice(f"kp-{w}", keypad, f"window/{w}", w) for w in WINDOWS),
        *(PlannedDevice(id, load("people-counter-beams"), "zone/entrance") for id in COUNTERS),
        *(PlannedDevice(id, load("wet-floor-mains"), "zone/entrance") for id in FLOORS),
    ]
    by_id = {device.id: device for device in devices}
    # Here everybody presses at once, which is no sign of a clerk's finger.
    return Plan("week", dict.fromkeys(WINDOWS, ""), by_id, rules=RatingRules(fast_run=0))


async def run(size: Size, seed: int, heard: Callable[[str], None] = lambda _: None) -> Week:
    """The week; `heard` is told of every day that begins."""
    hall = Hall(size, random.Random(seed))
    steady, away = Sink("hall"), Sink("back-office")
    week = Week(max_mb=size.max_mb)
    async with _core(size, hall) as (core, store):
        for day in range(1, size.days + 1):
            heard(f"day {day} of {size.days}")
            here = [steady] if day == AWAY_DAY else [steady, away]
            began = hall.now
            for minute in range(size.open_minutes):
                hall.now = began + minute * MINUTE_MS
                await hall.minute(core, (day - 1) * DAY_MINUTES + minute)
                await _tick(core, here)
            await hall.closing(core)
            for minute in range(size.open_minutes, DAY_MINUTES, NIGHT_STEP):
                hall.now = began + minute * MINUTE_MS
                await _tick(core, here)
            hall.now = began + DAY_MINUTES * MINUTE_MS
            week.days.append(_day(day, core, store, steady, away))
        await _tick(core, [steady, away])
    _judge(week, hall, steady, away)
    return week


@asynccontextmanager
async def _core(size: Size, hall: Hall) -> AsyncGenerator[tuple[Core, Path]]:
    with tempfile.TemporaryDirectory(prefix="hall-week-") as folder:
        store = Path(folder) / "hall.db"
        core = Core(plan(), store, size.max_mb, hall.clock)
        await core.start()
        try:
            shipped = rules_file.shipped()
            await core.do(lambda heart, _: heart.follow_rules(shipped))
            yield core, store
        finally:
            await core.close()


async def _tick(core: Core, sinks: list[Sink]) -> None:
    await core.tick()
    for sink in sinks:
        await sink.take(core)


def _day(day: int, core: Core, store: Path, steady: Sink, away: Sink) -> Day:
    health: Any = core.health()
    files = (store, store.with_name(f"{store.name}-wal"))
    return Day(
        day,
        steady.types.total(),
        resident_mb(os.getpid())[0],
        sum(file.stat().st_size for file in files) / 2**20,
        steady.types.total() - away.types.total(),
        health.get("forgotten", 0),
    )


def _judge(week: Week, hall: Hall, steady: Sink, away: Sink) -> None:
    week.tickets, week.passages, week.presses = hall.tickets, hall.passages, hall.presses
    week.delivered = steady.types.total()
    after = week.days[min(1, len(week.days) - 1)]
    week.grown_mb = week.days[-1].rss_mb - after.rss_mb
    week.problems = [*steady.faults, *away.faults]
    wanted = {
        "hall.count.passage": hall.passages,
        "hall.ticket.taken": hall.tickets,
        "hall.service.started": steady.types["hall.service.ended"],
    }
    for type, count in wanted.items():
        if steady.types[type] != count:
            week.problems.append(f"{type}: {count} happened, {steady.types[type]} were told")
    told = steady.types["hall.rating.pressed"] + steady.types["hall.rating.quarantined"]
    if told != hall.presses:
        week.problems.append(f"{hall.presses} presses happened, {told} were told")
    if steady.order.digest() != away.order.digest():
        week.problems.append("the sink that was away did not get the same events in the same order")
    if (largest := max(day.store_mb for day in week.days)) > week.max_mb:
        week.problems.append(f"the store took {largest:.1f} MB of {week.max_mb}")
    if not week.days[-1].forgotten:
        week.problems.append("nothing was forgotten: the bound was not tried")
