"""The back office's figures of a hall's day are the hall's own, whatever way its events came.

Simulated days of a hall, with cut-off devices and a gateway that told some events twice, into a
real PostgreSQL in batches, by two workers at once, in any order.
"""

import asyncio
import itertools
import random
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from hall_fleet import intake
from hall_fleet.batch import Message
from hall_fleet.sums import CLOCK, EDGES_MIN
from hall_gateway import store
from hall_gateway.figures import report
from hall_gateway.figures_model import Report, Satisfaction
from hall_gateway.hall_clock import DAY_MS, HOUR_MS, MINUTE_MS
from hall_gateway.kpi_services import Rules
from hall_gateway.limits import Limits
from hall_gateway.schema import open_store
from support.hall_days import HallDays
from support.record import Database, Databases, Json, databases, messages

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAYS = 4
FIRST = int(datetime(2025, 10, 29, 16, tzinfo=UTC).timestamp() * 1000)
"""A midnight of the hall's clock, two days before a month ends."""
LATER = datetime(2025, 11, 21, tzinfo=UTC)
LIMITS = Limits({"缴费": 5, "报装": 12})
RULES = Rules("demo", CLOCK, frozenset({"vip"}), limits=LIMITS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made() -> AsyncGenerator[Databases]:
    async with databases() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def days(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[HallDays]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "open_store", _hasty)
        folder = tmp_path_factory.mktemp("hall")
        found = HallDays(folder, seed=11, first_midnight=FIRST, customers=60)
        await found.run(DAYS)
        yield found


def _hasty(path: Path, max_mb: int) -> sqlite3.Connection:
    connection = open_store(path, max_mb)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


async def test_the_figures_of_a_day_are_the_halls_own(made: Databases, days: HallDays) -> None:
    database = await made.make()
    database.rows("INSERT INTO hall.halls (hall, class, areas) VALUES ('demo', 'B', '{vip}')")
    await _store(database, [messages(days.told)])
    found = {row["day"]: row for row in database.named("SELECT * FROM hall_figures.hall_day")}
    compared = 0
    with closing(sqlite3.connect(f"file:{days.folder}/hall.db?mode=ro", uri=True)) as connection:
        for day in range(-1, DAYS + 2):
            first = FIRST + 3 * HOUR_MS + day * DAY_MS
            own = report(connection, RULES, first, first + DAY_MS, days.clock.now)
            theirs = found.pop(CLOCK.date(first), None)
            if theirs is None:  # nothing happened
                assert own.pressed.raw == own.tickets.taken == 0
                continue
            assert {name: theirs[name] for name in _figures(own)} == _figures(own)
            compared += 1
    assert compared >= DAYS
    assert found == {}
    _everything_happened(database)


def _figures(own: Report) -> Json:
    """The hall's figures by the columns of the view."""
    service, tickets = own.service, own.tickets
    marks = service.satisfaction
    assert isinstance(marks, Satisfaction)
    asked = service.participation
    return {
        "ratings": marks.n,
        **{f"mark{mark}": n for mark, n in marks.marks.items()},
        "satisfied": marks.strict.good,
        "satisfaction": _share(marks.strict.share),
        "satisfaction_low": _share(marks.strict.low),
        "satisfaction_high": _share(marks.strict.high),
        "satisfaction_wide": _share(marks.wide.share),
        "asked": asked.ended,
        "prompted": asked.prompted,
        "rated": asked.rated,
        "pending": asked.pending,
        "prompted_share": _share(asked.prompted_share),
        "rated_share": _share(asked.rated_share),
        "unrated_by_reason": asked.none,
        "taken": tickets.taken,
        "taken_called": tickets.called,
        "cancelled": tickets.cancelled,
        "abandoned": tickets.abandoned,
        "walk_away_share": _share(tickets.walk_away.share),
        "calls": service.no_show.whole,
        "no_shows": service.no_show.part,
        "no_show_share": _share(service.no_show.share),
        "waits": service.wait.n,
        "wait_mean_ms": service.wait.mean_ms,
        "wait_p90_min": _edge(service.wait.p90_ms),
        "no_show_waits": service.no_show_wait.n,
        "no_show_wait_mean_ms": service.no_show_wait.mean_ms,
        "handled": service.handling.n,
        "handling_mean_ms": service.handling.mean_ms,
        "handling_p90_min": _edge(service.handling.p90_ms),
        "overtime": service.overtime.part,
        "overtime_share": _share(service.overtime.share),
        "overnight": service.overnight,
        "entered": own.footfall.entered,
        "departed": own.footfall.left,
        "presses_raw": own.pressed.raw,
        "presses_counted": own.pressed.counted,
        "quarantined_by_reason": own.pressed.quarantined,
    }


def _share(share: float | None) -> Decimal | None:
    """The same digits as numeric has them."""
    return None if share is None else Decimal(str(share))


def _edge(ms: int | None) -> float | None:
    """The edge that a P90 is told as."""
    if ms is None:
        return None
    return next((float(e) for e in EDGES_MIN if ms <= e * MINUTE_MS), float("inf"))


def _everything_happened(database: Database) -> None:
    """Or nothing was compared with nothing."""
    (month,) = database.rows(
        "SELECT sum(ratings), sum(unrated), sum(no_show_waits), sum(overtime), sum(overnight),"
        " sum(abandoned), sum(cancelled), sum(quarantined), sum(entered) FROM hall_figures.day_sums"
    )
    assert all(month), month
    assert database.rows("SELECT count(*) FROM hall.poison") == [(0,)]


@pytest.mark.parametrize("seed", [1, 2])
async def test_any_way_that_events_come_gives_the_same(
    made: Databases, days: HallDays, seed: int
) -> None:
    """In order and once; and shuffled, most of it twice, by two workers at once in odd batches."""
    draw = random.Random(seed)
    told = days.told[: 400 + 400 * seed]
    once, often = await made.make(), await made.make()
    await _store(once, [messages(told)])
    again = draw.sample(told, len(told) * 2 // 3)
    shuffled = [messages(draw.sample(told, len(told))), messages(again)]
    await _store(often, shuffled, draw)
    for query in (
        "SELECT hall, id, type, source, subject, time, clock, data FROM hall.events ORDER BY id",
        "SELECT * FROM hall.days ORDER BY day",
        "SELECT hall, first_event, last_event FROM hall.seen",
    ):
        assert often.rows(query) == once.rows(query) != []
    assert often.rows("SELECT count(*) FROM hall.poison") == [(0,)]


async def _store(
    database: Database, ways: list[list[Message]], draw: random.Random | None = None
) -> None:
    """Each way by a worker of its own, all at once; in batches of 500, or of any size."""

    async def work(number: int, way: list[Message]) -> None:
        record = database.record(f"worker {number}")
        rest = iter(way)
        try:
            while batch := list(itertools.islice(rest, draw.randint(1, 500) if draw else 500)):
                await intake.store(record, batch, LATER, LIMITS)
        finally:
            await record.close()

    async with asyncio.TaskGroup() as group:
        for number, way in enumerate(ways):
            group.create_task(work(number, way))
