"""A back office under the load of many halls: how fast, at what cost, and whether all of it came.

Here: the phases of a measurement and their figures. Not here: the back office
(hall_tools.fleet.stage), the halls (hall_tools.fleet.gateways), tables and targets
(fleet_report.py).

The halls have been cut off: their stores are full of days that are over. Then, on this one machine:

1. all at once: every hall is connected and tells all it has, while two workers take it;
2. the workers alone: the same messages once more from the streams into empty tables, with 1, 2 and
   4 workers and no hall connected;
3. live: customers come in, at two rates, with two workers.

After each of 1 and 2 and at the end, every event and sum in PostgreSQL is held against what the
halls' stores promised.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hall_gateway import jetstream_subjects as subjects

from hall_tools.bench.fleet_parts import PARTS, uses
from hall_tools.errors import UserError
from hall_tools.fleet import truth
from hall_tools.fleet.gateways import Gateways
from hall_tools.fleet.places import hall_id
from hall_tools.fleet.stage import Stage

WORKERS = (1, 2, 4)
TOGETHER = 2
"""Workers while halls are connected."""
RATES = (20, 200)
"""Events a second of all halls together, live."""
EVENTS_PER_S = 4000
"""So many for each second that a phase is to last."""
DAYS_AGO = 25
STALLED_S = 60.0
SETTINGS = ("track_commit_timestamp = on", "max_wal_size = '4GB'")
"""The first so that a row knows when it was committed."""
_LOOK_S = 0.1

Heard = Callable[[str], None]


@dataclass(frozen=True)
class Phase:
    """`events` came into the table at `per_s`, from when they were let go to the last of them.
    `cpu_us`: of each part, for an event; `wrong`: what the comparison found."""

    halls: int
    workers: int
    events: int
    per_s: float
    cpu_us: dict[str, float]
    memory_mb: dict[str, float]
    wal_bytes: float
    lost: int
    doubled: int
    other: int
    wrong: list[str] = field(default_factory=list[str])

    @property
    def cost_us(self) -> float:
        """Of all parts together."""
        return sum(self.cpu_us.values())


@dataclass(frozen=True)
class Live:
    """ms from when a customer came in until the row was committed."""

    per_s: float
    events: int
    p50: float
    p99: float
    most: float
    late_s: float
    """How far behind its own plan the load was at most."""


@dataclass
class Fleet:
    """What was measured with so many halls. `connect_s`: until all were connected, all beginning
    at once; `connect_ms`: CPU of each part for each of them. `bytes`, for an event: `stream` as
    each server keeps it, `table` with its indexes, `wire_out` and `wire_back` over TCP between hall
    and servers."""

    halls: int
    promised: int = 0
    connect_s: float = 0.0
    connect_ms: dict[str, float] = field(default_factory=dict[str, float])
    bytes: dict[str, float] = field(default_factory=dict[str, float])
    together: Phase | None = None
    ingest: list[Phase] = field(default_factory=list[Phase])
    live: list[Live] = field(default_factory=list[Live])
    at_end: truth.Account = field(default_factory=truth.Account)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def wrong(self) -> list[str]:
        """What must not be."""
        phases = [*([self.together] if self.together else []), *self.ingest]
        return [
            *(
                f"{self.halls} halls, {p.workers} workers: {line}"
                for p in phases
                for line in p.wrong
            ),
            *(f"{self.halls} halls, at the end: {line}" for line in self.at_end.wrong),
        ]


async def measure(halls: int, seconds: float, seed: int, heard: Heard) -> Fleet:
    """All phases with so many halls. Raises UserError when a part fails; what is lost is told."""
    heard(f"{halls} halls: starting the back office")
    async with (
        back_office(halls) as stage,
        Gateways(stage.folder / "halls", halls, stage.links, seed=seed) as gateways,
    ):
        return await Bench(stage, gateways, heard).run(seconds)


@asynccontextmanager
async def back_office(halls: int) -> AsyncGenerator[Stage]:
    """Of the first so many halls, in a folder that is gone afterwards."""
    # PostgreSQL's own user must be able to enter it.
    folder = Path(tempfile.mkdtemp(prefix="hall-fleet-", dir="/tmp"))
    os.chmod(folder, 0o711)
    try:
        names = [hall_id(number) for number in range(1, halls + 1)]
        async with Stage(folder, names, SETTINGS) as stage:
            yield stage
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Bench:
    """One back office with its halls."""

    def __init__(self, stage: Stage, gateways: Gateways, heard: Heard) -> None:
        self._stage, self._gateways, self._heard = stage, gateways, heard
        self._fleet = Fleet(len(gateways.halls))
        self._promises: Mapping[str, Mapping[str, bytes]] = {}

    async def run(self, seconds: float) -> Fleet:
        fleet = self._fleet
        each = max(20, round(seconds * EVENTS_PER_S / fleet.halls))
        self._say(f"{each} events in each store, of days that are over")
        await self._gateways.tell("fill", events=each, days_ago=DAYS_AGO)
        self._promises = await self._gateways.promises()
        fleet.promised = sum(map(len, self._promises.values()))
        await self._stage.start_workers(TOGETHER)
        await self._stage.ready()
        await self._connect()
        self._say(f"all at once: {fleet.promised:,} events")
        fleet.together = await self._phase(self._gateways.tell("release"))
        await self._sizes()
        await self._gateways.tell("disconnect")
        for workers in WORKERS:
            await self._stage.stop_workers()
            await self._stage.empty(stream=False)
            self._say(f"{workers} workers alone: {fleet.promised:,} events")
            async with self._stage.held():
                await self._stage.start_workers(workers)
                await self._stage.ready()
            fleet.ingest.append(await self._phase())
        await self._stage.stop_workers()
        await self._stage.start_workers(TOGETHER)
        await self._stage.ready()
        await self._gateways.tell("connect")
        await self._gateways.tell("release")
        for rate in RATES:
            self._say(f"live: {rate} events a second")
            fleet.live.append(await self._live(rate, max(seconds, 5.0)))
        self._promises = await self._gateways.promises()
        fleet.at_end = await self._account()
        return fleet

    def _say(self, what: str) -> None:
        self._heard(f"{self._fleet.halls} halls, {what}")

    async def _connect(self) -> None:
        """All halls, which say how they are and tell nothing yet."""
        before = uses(self._parts)
        told = await self._gateways.tell("connect")
        self._fleet.connect_s = max(each["seconds"] for each in told)
        after = uses(self._parts)
        self._fleet.connect_ms = {
            n: 1e3 * (after[n].cpu_s - before[n].cpu_s) / self._fleet.halls for n in PARTS
        }

    @property
    def _parts(self) -> dict[str, list[int]]:
        return {"gateways": self._gateways.pids, **self._stage.parts}

    async def _phase(self, begin: Awaitable[object] | None = None) -> Phase:
        """What flows from now on, or from `begin`; ends when all that was promised is there, or
        nothing comes any more."""
        before, wal = uses(self._parts), await self._wal()
        was, began = 0, time.monotonic()
        since = began
        if begin is not None:
            await begin
        while was < self._fleet.promised and time.monotonic() - since < STALLED_S:
            await asyncio.sleep(_LOOK_S)
            self._stage.check()
            now = await self._counted()
            if now != was:
                was, since = now, time.monotonic()
        after, wal = uses(self._parts), await self._wal() - wal
        account = await self._account()
        return Phase(
            halls=self._fleet.halls,
            workers=len(self._stage.workers),
            events=was,
            per_s=was / max(since - began, _LOOK_S),
            cpu_us={n: 1e6 * (after[n].cpu_s - before[n].cpu_s) / max(was, 1) for n in PARTS},
            memory_mb={n: after[n].memory_mb for n in PARTS},
            wal_bytes=wal / max(was, 1),
            lost=account.lost,
            doubled=account.doubled,
            other=account.other,
            wrong=account.wrong,
        )

    async def _account(self) -> truth.Account:
        dsn = self._stage.postgres.dsn("hall_console")
        return await asyncio.to_thread(truth.check, dsn, self._promises)

    async def _counted(self) -> int:
        """How many events the sums have, which are committed with them: cheaper than to count."""
        (counted,) = await self._stage.value("SELECT coalesce(sum(events), 0) FROM hall.days")
        return int(counted)

    async def _wal(self) -> int:
        (position,) = await self._stage.value("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
        return int(position)

    async def _sizes(self) -> None:
        events = self._fleet.promised
        (table,) = await self._stage.value(
            "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('hall.events')"
        )
        ports = [node.ports.client for node in self._stage.cluster.nodes]
        out, back = await self._gateways.wire(ports)
        kept = await self._stage.stream_bytes(subjects.EVENTS_STREAM)
        self._fleet.bytes = {
            "wire_out": out / events,
            "wire_back": back / events,
            "stream": kept / events,
            "table": int(table) / events,
        }

    async def _live(self, rate: float, seconds: float) -> Live:
        """`rate` events a second for so long, and then until all are there."""
        (began,) = await self._stage.value("SELECT clock_timestamp()::text")
        sent, late = await self._gateways.live(rate, seconds)
        deadline = time.monotonic() + STALLED_S
        found: tuple[Any, ...] = (0, 0, 0, 0)
        while int(found[0]) < sent and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_S)
            found = await self._stage.value(_LATENCY.format(began=began))
        if not found[0]:
            raise UserError(f"no event of {sent} came within {STALLED_S:g} s", os.EX_SOFTWARE)
        count, p50, p99, most = found
        return Live(rate, int(count), float(p50), float(p99), float(most), late)


_LATENCY = (
    "SELECT count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), percentile_disc(0.99) "
    "WITHIN GROUP (ORDER BY ms), max(ms) FROM (SELECT 1000 * extract(epoch FROM "
    "pg_xact_commit_timestamp(xmin) - time) AS ms FROM hall.events WHERE type = "
    "'hall.count.passage' AND time >= '{began}') AS each"
)
