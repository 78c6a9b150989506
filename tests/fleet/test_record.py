"""The record of many halls in a real PostgreSQL: what comes in, what is kept apart, and roles."""

import json
import random
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from hall_fleet import intake, retention, states
from hall_fleet.batch import Message
from hall_fleet.migrate import MigrationError, migrate
from hall_fleet.poison import newest
from hall_fleet.record import AwayError, Record
from hall_gateway.hall_class import CLASSES
from hall_gateway.kpi_math import share, wilson
from hall_gateway.limits import Limits
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.record import (
    NOW,
    Database,
    Databases,
    Json,
    databases,
    event,
    message,
    reply,
    state,
    state_message,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMITS = Limits()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made() -> AsyncGenerator[Databases]:
    async with databases() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(made: Databases) -> Database:
    return await made.make()


@pytest_asyncio.fixture(loop_scope="module")
async def record(database: Database) -> AsyncGenerator[Record]:
    database.empty()
    found = database.record()
    yield found
    await found.close()


def with_body(told: Json, body: bytes, sequence: int) -> Message:
    return message(told, sequence)._replace(body=body)


async def store(record: Record, *messages: Message) -> intake.Stored:
    return await intake.store(record, messages, NOW, LIMITS)


# What comes in.

SIMPLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["\0", "\ud800", "\ud83d\ude00", "a\\u0000", '"', "\\", "\t\r\n", "\u2028"]),
)
DATA = st.dictionaries(
    st.one_of(
        st.text(max_size=4),
        st.sampled_from(["queued_ms", "transferred", "waited_ms", "reason", "mark", "ended_at"]),
    ),
    st.recursive(SIMPLE, lambda inner: st.lists(inner, max_size=3), max_leaves=6),
    max_size=5,
)
BODIES = st.one_of(
    DATA.map(lambda data: json.dumps(data).encode()),
    DATA.map(lambda data: json.dumps(data, ensure_ascii=False).encode(errors="surrogatepass")),
    st.binary(max_size=30),
    st.sampled_from(
        [
            b"",
            b"null",
            b'{"a":1e999}',
            b'{"a":1e-99999}',
            b'{"a":-1e400000}',
            b'{"a":NaN}',
            b'{"a":1,"a":2}',
            b'{"a":"\\u0000"}',
            b'{"\\ud800":1}',
            b'\xef\xbb\xbf{"a":1}',
            b'{"a":' + b"9" * 4301 + b"}",
            b'{"a":' + b"9" * 4000 + b"}",
            b'{"a":0.' + b"0" * 20_000 + b"1}",
            b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
            b'{"a":' + b"[" * 900 + b"]" * 900 + b"}",
            b'{"a":"' + b"x" * 70_000 + b'"}',
        ]
    ),
)
TYPES = st.sampled_from(
    ["hall.rating.given", "hall.service.ended", "hall.ticket.called", "hall.new.thing"]
)
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            *("2025-11-21T01:00:00.000Z", "2025-11-21T01:00:00+08:00", "2025-02-30T00:00:00Z"),
            *("2023-12-31T23:59:59.999Z", "2025-11-23T00:00:00Z", "9999-12-31T23:59:59Z"),
            *("0001-01-01T00:00:00+14:00", "2025-11-21T24:00:00Z", "window/1", "zone/door"),
            *("/hall/other/gateway", "gateway/0badcafe/1", "synced", "%00", "%ff", "1.0"),
        ]
    ),
)
HEADERS = st.dictionaries(
    st.sampled_from(["ce-id", "ce-source", "ce-time", "ce-subject", "ce-clockquality", "ce-type"]),
    st.one_of(st.none(), TEXTS),
    max_size=2,
)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(st.tuples(TYPES, BODIES, HEADERS), min_size=1, max_size=12))
async def test_whatever_is_sent_lands_in_events_or_in_poison(
    database: Database, sent: list[tuple[str, bytes, dict[str, str | None]]]
) -> None:
    """And never keeps what is beside it in the batch from the events."""
    database.empty()
    good = [message(event(number), number) for number in range(1000, 1003)]
    messages = list(good)
    for number, (type, body, headers) in enumerate(sent, 1):
        odd = with_body(event(number, type=type, subject="window/1"), body, number)
        for name, value in headers.items():
            changed = dict(odd.headers)
            changed.pop(name)
            odd = odd._replace(headers=changed if value is None else {**changed, name: value})
        messages.insert(number % len(messages), odd)
    record = database.record()
    try:
        done = await store(record, *messages)
    finally:
        await record.close()
    assert done.events + done.poison.total() + done.duplicates == len(messages)
    (events,) = database.rows("SELECT count(*) FROM hall.events")[0]
    (poison,) = database.rows("SELECT count(*) FROM hall.poison")[0]
    assert (events, poison) == (done.events, done.poison.total())
    found = database.rows("SELECT count(*) FROM hall.events WHERE id ~ '/100[012]$'")
    assert found == [(3,)]
    assert database.rows("SELECT coalesce(sum(events), 0) FROM hall.days") == [(events,)]


async def test_what_postgresql_refuses_is_alone(database: Database, record: Record) -> None:
    """Though nothing was seen to be wrong with it before."""
    database.rows(
        "ALTER TABLE hall.events ADD CONSTRAINT odd CHECK (id !~ '7$')", role="hall_owner"
    )
    try:
        done = await store(record, *(message(event(n), n) for n in range(1, 31)))
    finally:
        database.rows("ALTER TABLE hall.events DROP CONSTRAINT odd", role="hall_owner")
    assert done == intake.Stored(27, 0, Counter(refused=3))
    (first, *_) = newest(database.dsn("hall_ingest"), 1)
    assert first.detail.startswith("23514: ")
    assert '"odd"' in first.detail
    assert database.rows("SELECT events, taken FROM hall.days") == [(27, 27)]


async def test_an_event_counts_once_however_often_it_comes(
    database: Database, record: Record
) -> None:
    first, second = message(event(1), 1), message(event(2), 2)
    assert (await store(record, first, first)).duplicates == 1
    assert await store(record, first, second, second) == intake.Stored(1, 2)
    assert database.rows("SELECT events, taken FROM hall.days") == [(2, 2)]


async def test_poison_keeps_all_that_can_be_said_of_it(database: Database, record: Record) -> None:
    forged = event(1, source="/hall/rich/gateway")
    await store(record, message(forged, 5, hall="demo"), message(forged, 5, hall="demo"))
    (found,) = newest(database.dsn("hall_ingest"), 10)
    assert (found.reason, found.hall, found.claimed) == ("hall", "demo", "rich")
    assert (found.stream, found.sequence) == ("HALL_EVENTS", 5)
    assert found.detail == "ce-source: /hall/rich/gateway on a subject of demo"
    assert found.headers["ce-id"] == "gateway/0badcafe/1"
    assert found.text == '{"ticket":"A001","business":null,"priority":0}'
    assert database.rows("SELECT count(*) FROM hall.events") == [(0,)]


async def test_a_hall_that_makes_up_names_has_them_under_one(
    database: Database, record: Record
) -> None:
    fault: dict[str, Any] = {"type": "hall.device.fault", "subject": "zone/door"}
    told = [event(n, **fault, data={"code": f"made_up_{n}", "value": None}) for n in range(1, 1201)]
    for begin in range(0, 1200, 300):
        await store(record, *(message(each, n) for n, each in enumerate(told[begin : begin + 300])))
    ((names, faults, counted),) = database.rows(
        "SELECT (SELECT count(*) FROM jsonb_each(counts)), faults,"
        " (SELECT sum(value::int) FROM jsonb_each_text(counts)) FROM hall.days"
    )
    assert (faults, counted) == (1200, 1200)
    assert names < 900


# States.


async def test_the_last_state_of_a_hall_is_kept(database: Database, record: Record) -> None:
    """The last that the stream took: a hall's clock may have been set back."""
    late = state(**{"class": "C", "name": "城东供电营业厅", "areas": ["vip"], "outbox": 7})
    early = state(at="2025-11-21T02:00:00.000Z", status="failing")
    done = await states.store(
        record, [state_message(late, 2, at=60_000), state_message(early, 1)], NOW
    )
    assert done == Counter(states=2)
    await states.store(record, [state_message(early, 1)], NOW)
    found = database.rows(
        "SELECT name, class, areas, status, devices, devices_online, outbox, state_at FROM"
        " hall.halls"
    )
    at = datetime(2025, 11, 21, 1, tzinfo=UTC)
    assert found == [("城东供电营业厅", "C", ["vip"], "ok", 1, 1, 7, at)]


@pytest.mark.parametrize(
    ("message", "reason", "detail"),
    [
        (state_message(state("rich"), hall="demo"), "hall", "a state of rich on the subject of"),
        (state_message(state(devices="none")), "form", "devices: Input should be a valid array"),
        (state_message(state(at="2023-01-01T00:00:00Z")), "time", "at: 2023-01-01T00:00:00Z is"),
        (state_message(state(problems=["\0"])), "form", "the data are not JSON: a text has a NUL"),
        (state_message(state(**{"class": "E"})), "form", "class: Input should be 'A', 'B', 'C'"),
        (state_message(state(problems=["x" * 70_000])), "size", "7"),
    ],
)
async def test_a_state_that_is_none_is_poison(
    database: Database, record: Record, message: Message, reason: str, detail: str
) -> None:
    assert await states.store(record, [message], NOW) == Counter({reason: 1, "states": 0})
    ((found, said, stream),) = database.rows("SELECT reason, detail, stream FROM hall.poison")
    assert (found, stream) == (reason, "HALL_STATES")
    assert said.startswith(detail)
    assert database.rows("SELECT count(*) FROM hall.halls") == [(0,)]


# Who may what.

ALLOWED = {
    "hall_ingest": [
        "SELECT hall, id, time FROM hall.events",
        "SELECT * FROM hall.days",
        "INSERT INTO hall.seen VALUES ('x', now(), now(), now())",
        "SELECT hall.ensure_month('2025-11-01')",
    ],
    "hall_console": [
        "SELECT * FROM hall.events",
        "SELECT * FROM hall.poison",
        "SELECT * FROM hall_figures.month_sums",
    ],
    "hall_bi": [
        "SELECT * FROM hall_figures.hall_day",
        "SELECT * FROM hall_figures.hall_month",
        "SELECT * FROM hall_figures.class_month",
        "SELECT * FROM hall_figures.class_ranking",
    ],
}
REFUSED = {
    "hall_ingest": [
        "SELECT data FROM hall.events",
        "UPDATE hall.events SET data = '{}'",
        "DELETE FROM hall.events",
        "DELETE FROM hall.days",
        "DELETE FROM hall.poison",
        "UPDATE hall.poison SET reason = ''",
        "TRUNCATE hall.events",
        "DROP TABLE hall.days",
        "CREATE TABLE hall.mine (x int)",
        "CREATE TABLE public.mine (x int)",
        "CREATE SCHEMA mine",
        "UPDATE hall.kept SET since = '2020-01-01'",
        "SELECT * FROM hall_figures.hall_day",
        "SELECT * FROM public._yoyo_migration",
    ],
    "hall_console": [
        "INSERT INTO hall.halls (hall) VALUES ('x')",
        "DELETE FROM hall.poison",
        "SELECT hall.ensure_month('2025-11-01')",
        "CREATE TABLE hall.mine (x int)",
        "CREATE TEMP TABLE mine (x int)",
    ],
    "hall_bi": [
        "SELECT * FROM hall.days",
        "SELECT * FROM hall.events",
        "SELECT * FROM hall.halls",
        "SELECT * FROM hall_figures.day_sums",
        "SELECT hall.ensure_month('2025-11-01')",
        "CREATE TEMP TABLE mine (x int)",
    ],
}


@pytest.mark.parametrize("role", ["hall_ingest", "hall_console", "hall_bi"])
async def test_a_role_may_what_it_needs_and_nothing_else(database: Database, role: str) -> None:
    for statement in ALLOWED[role]:
        database.rows(statement, role=role)
    for statement in REFUSED[role]:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.rows(statement, role=role)


async def test_a_month_comes_of_itself_and_no_month_that_cannot_be(database: Database) -> None:
    ask = "SELECT hall.ensure_month(%s)"
    for month in ("2024-01-31", "2025-03-01"):
        assert database.rows(ask, (date.fromisoformat(month),), "hall_ingest") == [(True,)]
    for month in (date(2023, 12, 31), datetime.now(UTC).date() + timedelta(100)):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            database.rows(ask, (month,), "hall_ingest")


# Figures in SQL.


async def test_sql_rounds_and_bounds_as_the_hall_does(database: Database) -> None:
    draw = random.Random(5)
    pairs = [(good, n) for n in range(61) for good in range(n + 1)]
    for _ in range(2000):
        n = draw.randrange(1, 10 ** draw.randint(2, 9))
        pairs.append((draw.randint(0, n), n))
    found = database.rows(
        "SELECT good, n, hall_figures.share(good, n), hall_figures.wilson_low(good, n),"
        " hall_figures.wilson_high(good, n)"
        " FROM unnest(%s::bigint[], %s::bigint[]) AS pair(good, n)",
        ([good for good, _ in pairs], [n for _, n in pairs]),
    )
    assert len(found) == len(pairs)
    for good, n, part, low, high in found:
        ours = (share(good, n), *(wilson(good, n) or (None, None)))
        exact = tuple(None if each is None else Decimal(str(each)) for each in ours)
        assert (part, low, high) == exact, (good, n)


async def test_halls_are_compared_by_what_their_class_asks_for(database: Database) -> None:
    found = database.rows("SELECT class, min_n, wait_mean_min, wait_p90_min FROM hall.classes")
    assert {each.name: each for each in CLASSES.values()} == {
        row[0]: CLASSES[row[0]].__class__(*row) for row in found
    }


async def test_too_few_ratings_give_no_place(made: Databases) -> None:
    database = await made.make()
    for hall, mark5, mark1 in (("a", 49, 0), ("b", 95, 5), ("c", 700, 300), ("d", 95, 5)):
        database.rows("INSERT INTO hall.halls (hall, class) VALUES (%s, 'A')", (hall,))
        database.rows(
            "INSERT INTO hall.days (hall, day, mark5, mark1) VALUES (%s, '2025-11-02', %s, %s)",
            (hall, mark5, mark1),
        )
    ranking = database.rows(
        "SELECT hall, best_place, worst_place, places FROM hall_figures.class_ranking ORDER BY hall"
    )
    assert ranking == [("b", 1, 2, 3), ("c", 3, 3, 3), ("d", 1, 2, 3)]
    # As it is said: halls that lie above for sure, and halls that reach into it.
    draw = random.Random(3)
    for number in range(60):
        hall, bad = f"x{number}", draw.randrange(60)
        database.rows("INSERT INTO hall.halls (hall, class) VALUES (%s, 'D')", (hall,))
        database.rows(
            "INSERT INTO hall.days (hall, day, mark5, mark1) VALUES (%s, '2025-11-02', %s, %s)",
            (hall, 80 - bad, bad),
        )
    found = database.named("SELECT * FROM hall_figures.class_ranking WHERE class = 'D'")
    assert len(found) == 60
    for each in found:
        above = [o for o in found if o["satisfaction_low"] > each["satisfaction_high"]]
        into = [o for o in found if o["satisfaction_high"] >= each["satisfaction_low"]]
        assert (each["best_place"], each["worst_place"]) == (1 + len(above), len(into))
    ((halls, compared, ratings),) = database.rows(
        "SELECT halls, halls_compared, ratings FROM hall_figures.class_month WHERE class = 'A'"
    )
    assert (halls, compared, ratings) == (4, 3, 1249)


# Migrations and retention.


async def test_migrations_are_applied_once_and_not_beside_each_other(made: Databases) -> None:
    database = await made.make()
    owner = database.dsn("hall_owner")
    assert migrate(owner) == []
    with psycopg.connect(owner) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('hallkit migrations'))")
        with pytest.raises(MigrationError, match="another program migrates this record now"):
            migrate(owner)
    # A kill leaves yoyo's row.
    database.rows("INSERT INTO yoyo_lock VALUES (1, now(), 4242)", role="hall_owner")
    assert migrate(owner) == []


async def test_an_older_program_leaves_a_newer_record_alone(
    made: Databases, tmp_path: Path
) -> None:
    database = await made.make()
    (tmp_path / "0001_other.sql").write_text("CREATE TABLE public.other (x int);")
    with pytest.raises(MigrationError, match=r"a newer hallkit made this record \(it has 0"):
        migrate(database.dsn("hall_owner"), str(tmp_path))
    assert database.rows("SELECT to_regclass('public.other')") == [(None,)]


async def test_old_months_go_whole_and_do_not_come_back(made: Databases) -> None:
    database = await made.make()
    owner, record = database.dsn("hall_owner"), database.record()
    times = ("2025-08-31T23:59:59.999Z", "2025-09-01T00:00:00.000Z", "2025-11-01T00:00:00.000Z")
    told = [message(event(n, time=time), n) for n, time in enumerate(times, 1)]
    assert (await store(record, *told)).events == 3
    assert retention.first_kept(date(2025, 11, 21), 2) == date(2025, 9, 1)
    assert retention.first_kept(date(2025, 1, 5), 13) == date(2023, 12, 1)
    done = retention.retain(owner, date(2025, 9, 1))
    assert [each.month for each in done.dropped] == ["2025-08"]
    # This worker has known the month; a new one learns it now.
    other = database.record()
    for each in (record, other):
        again = await store(each, *told)
        assert (again.events, again.duplicates, again.poison) == (0, 2, Counter(old=1))
        await each.close()
    assert database.rows("SELECT sum(events) FROM hall.days") == [(3,)]
    assert database.rows("SELECT count(*) FROM hall.poison") == [(1,)]
    assert retention.retain(owner, date(2025, 9, 1)).dropped == []
    assert retention.retain(owner, date(2025, 1, 1)).since == date(2025, 9, 1)


async def test_a_retention_that_was_interrupted_goes_on(made: Databases) -> None:
    database = await made.make()
    owner = database.dsn("hall_owner")
    database.rows("SELECT hall.ensure_month('2025-08-01'), hall.ensure_month('2025-09-01')")
    database.rows("ALTER TABLE hall.events DETACH PARTITION hall.events_2025_08", role="hall_owner")
    done = retention.retain(owner, date(2025, 10, 1))
    assert [each.month for each in done.dropped] == ["2025-08", "2025-09"]


async def test_a_record_without_tables_is_told_as_such(made: Databases) -> None:
    database = await made.make()
    database.rows("DROP SCHEMA hall CASCADE", role="hall_owner")
    record = database.record()
    with pytest.raises(AwayError, match="run hall ingest migrate"):
        await record.ready()
    assert reply(7).split(".")[5] == "7"
