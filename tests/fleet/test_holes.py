"""What servers lose after they took it: whether the record notices, and has it told again.

A real PostgreSQL and a real NATS server, from whose stream messages are deleted, and halls with
their gateways' real stores and sinks. Not here: servers that really fail (test_faults.py).
"""

import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from hall_fleet import holes, intake, states
from hall_fleet.batch import Message
from hall_fleet.holes import Holes
from hall_fleet.ingest_config import NatsConfig
from hall_fleet.link import Link
from hall_fleet.record import Record
from hall_gateway import jetstream_link
from hall_gateway import jetstream_subjects as subjects
from hall_gateway.limits import Limits
from hall_tools.fleet import truth
from hall_tools.fleet.halls import SimulatedHall, new_run, promised
from hall_tools.fleet.links import HallLinks, LinkSettings
from hall_tools.fleet.places import place
from support.ingest import Office, open_office, until
from support.record import NOW, Json, event, message, state, state_message

pytestmark = pytest.mark.asyncio(loop_scope="module")

HALL = place(1).hall
A, B = "a" * 16, "b" * 16


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncGenerator[Office]:
    async with open_office([HALL]) as office:
        yield office


@pytest_asyncio.fixture(loop_scope="module")
async def office(running: Office) -> Office:
    running.clear()
    async with running.link() as link:
        await link.ask(f"STREAM.PURGE.{subjects.EVENTS_STREAM}")
    return running


@pytest_asyncio.fixture(loop_scope="module")
async def record(office: Office) -> AsyncGenerator[Record]:
    found = office.database.record()
    yield found
    await found.close()


def stands(store: str, after: int, position: int, **changes: Any) -> Message:
    """An event at `position`."""
    told = message(event(position, **changes), position)
    return told._replace(headers={**told.headers, **_at(store, after, position)})


def _at(store: str, after: int, position: int) -> dict[str, str]:
    return {subjects.POSITION_HEADER: f"{store}/{after}/{position}"}


async def came(record: Record, *messages: Message) -> None:
    await intake.store(record, messages, NOW, Limits())


async def said(record: Record, store: str, began: int, to: int) -> None:
    told: Json = state(told={"store": store, "began": began, "to": to})
    await states.store(record, [state_message(told)], NOW)


def missing(office: Office) -> dict[str, str]:
    return dict(office.database.rows("SELECT store, missing::text FROM hall.stores"))


# What is missing.


async def test_what_lies_between_two_events_is_missing_until_it_comes(
    office: Office, record: Record
) -> None:
    await came(record, stands(A, 0, 1), stands(A, 4, 6))
    assert missing(office) == {A: "{[2,5)}"}
    await came(record, stands(A, 2, 4))
    assert missing(office) == {A: "{[2,3)}"}
    await came(record, stands(A, 0, 2))
    assert missing(office) == {A: "{}"}


async def test_each_store_of_a_hall_has_an_account_of_its_own(
    office: Office, record: Record
) -> None:
    await came(record, stands(A, 0, 1), stands(B, 0, 2), stands(A, 2, 3), stands(B, 2, 3))
    assert missing(office) == {A: "{[2,3)}", B: "{}"}


async def test_what_a_hall_says_that_it_told_is_missing_at_both_ends(
    office: Office, record: Record
) -> None:
    await came(record, stands(A, 4, 5))
    assert missing(office) == {A: "{}"}
    await said(record, A, began=2, to=7)
    assert missing(office) == {A: "{[3,5),[6,8)}"}
    await said(record, A, began=2, to=6)  # one of before, that came late
    assert missing(office) == {A: "{[3,5),[6,8)}"}


async def test_all_of_a_store_can_be_missing(office: Office, record: Record) -> None:
    await said(record, A, began=0, to=3)
    assert missing(office) == {A: "{[1,4)}"}


async def test_poison_is_accounted_for_as_it_would_be_no_better_when_told_again(
    office: Office, record: Record
) -> None:
    nothing = stands(A, 1, 2)._replace(body=b"no JSON")
    await came(record, stands(A, 0, 1), nothing, stands(A, 2, 3))
    assert missing(office) == {A: "{}"}
    assert office.database.rows("SELECT reason FROM hall.poison") == [("form",)]


async def test_an_event_that_was_there_before_is_accounted_for(
    office: Office, record: Record
) -> None:
    await came(record, stands(A, 0, 1), message(event(2), 2))
    await came(record, stands(A, 1, 2), stands(A, 2, 3))
    assert missing(office) == {A: "{}"}
    assert office.database.rows("SELECT count(*) FROM hall.events") == [(3,)]


async def test_a_position_that_is_none_is_poison_and_says_so(
    office: Office, record: Record
) -> None:
    wrong = stands(A, 0, 1)
    wrong = wrong._replace(headers={**wrong.headers, subjects.POSITION_HEADER: "far away"})
    await came(record, wrong)
    ((detail,),) = office.database.rows("SELECT detail FROM hall.poison")
    assert detail == "Hall-Position: far away is not store/after/position"


async def test_an_event_that_came_twice_accounts_for_both_places(
    office: Office, record: Record
) -> None:
    """As after a restored backup: the same event, from two stores."""
    again = stands(B, 1, 2)
    again = again._replace(headers={**stands(A, 1, 2).headers, **_at(B, 1, 2)})
    await came(record, stands(A, 0, 1), stands(A, 1, 2), again, stands(B, 2, 3))
    assert missing(office) == {A: "{}", B: "{}"}


async def test_a_hall_that_makes_up_stores_fills_no_table(office: Office, record: Record) -> None:
    made_up = [stands(f"{number:016x}", 0, number) for number in range(1, 130)]
    for each in made_up:
        await came(record, each)
    assert office.database.rows("SELECT count(*) FROM hall.events") == [(129,)]
    assert office.database.rows("SELECT count(*) FROM hall.stores") == [(100,)]
    await said(record, A, 0, 1)
    assert office.database.rows("SELECT count(*) FROM hall.stores") == [(100,)]


# What is asked for, and when.


@dataclass
class Servers:
    """As far as one look asks them: the stream's last sequence, the sequence up to which all is
    acknowledged, and how many messages wait and are given out."""

    last: int = 0
    floor: int = 0
    pending: int = 0
    given: int = 0

    async def ask(self, subject: str) -> Json:
        if subject.startswith("STREAM.INFO"):
            return {"state": {"last_seq": self.last}}
        floor = {"stream_seq": self.floor}
        return {
            "ack_floor": floor,
            "num_pending": self.pending,
            "num_ack_pending": self.given,
        }


@dataclass
class Asking:
    """Looks, and what halls were asked for by it; they reply `reply`."""

    record: Record
    servers: Servers = field(default_factory=Servers)
    asked: list[Json] = field(default_factory=list[Json])
    reply: Json = field(default_factory=dict[str, Any])
    holes: Holes = field(init=False)

    def __post_init__(self) -> None:
        self.holes = self.another()

    def another(self) -> Holes:
        """Another worker's."""
        return Holes(cast("NatsConfig", None), self.record)

    async def look(self, by: Holes | None = None) -> list[list[list[int]]]:
        """The ranges that halls are asked for."""
        self.asked.clear()
        await (by or self.holes).look(cast("Link", self.servers))
        return [each["ranges"] for each in self.asked]


@pytest.fixture
def asking(record: Record, monkeypatch: pytest.MonkeyPatch) -> Asking:
    asking = Asking(record)

    async def send(_links: object, _hall: str, name: str, body: Json, _ttl: float) -> Json:
        assert name == "tell_again"
        asking.asked.append(json.loads(json.dumps(body)))
        nothing: Json = {"again": 0, "gone": [], "void": []}
        return {"ok": True, "result": nothing, **asking.reply}

    monkeypatch.setattr(holes, "send_command", send)
    return asking


def later(office: Office) -> None:
    """A minute after halls were asked."""
    office.database.rows("UPDATE hall.stores SET asked_at = asked_at - interval '61 s'")


async def test_what_is_on_its_way_is_not_asked_for(record: Record, asking: Asking) -> None:
    await came(record, stands(A, 0, 1))
    await said(record, A, 0, 9)
    asking.servers = Servers(last=7, floor=1, pending=6)
    assert await asking.look() == []
    asking.servers.floor = 6
    asking.servers.pending = 1
    assert await asking.look() == []
    await came(record, stands(A, 1, 6), stands(A, 8, 9))
    asking.servers.floor = 7
    assert await asking.look() == [[[7, 8]]]


async def test_another_worker_goes_on_with_what_one_noticed_and_asks_for_nothing_else(
    record: Record, asking: Asking
) -> None:
    await came(record, stands(A, 0, 1), stands(A, 2, 3))
    asking.servers = Servers(last=7, floor=5, pending=2)
    assert await asking.look() == []
    await came(record, stands(A, 4, 5))
    assert await asking.look(asking.another()) == []
    asking.servers.floor = 7
    assert await asking.look(asking.another()) == [[[2, 2]]]


async def test_nothing_is_on_its_way_when_nobody_has_anything(
    record: Record, asking: Asking
) -> None:
    """A consumer that was given another stream is ahead of it, or behind for ever."""
    await came(record, stands(A, 1, 2), stands(A, 4, 5))
    asking.servers = Servers(last=7, floor=3)
    assert await asking.look() == []
    assert await asking.look() == [[[3, 4]]]


async def test_what_nobody_acknowledges_holds_nothing_up_for_ever(
    record: Record, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    await came(record, stands(A, 1, 2), stands(A, 4, 5))
    asking.servers = Servers(last=7, floor=3, given=1)
    assert [await asking.look() for _ in range(3)] == [[], [], []]
    monkeypatch.setattr(holes, "STUCK_S", -1.0)
    assert await asking.look() == [[[3, 4]]]


async def test_a_hall_is_asked_once_a_minute_for_the_same(
    office: Office, record: Record, asking: Asking
) -> None:
    await came(record, stands(A, 1, 2), stands(A, 4, 5))
    await asking.look()
    assert await asking.look() == [[[3, 4]]]
    assert await asking.look() == []
    assert asking.holes.figures.missing == 2
    later(office)
    assert await asking.look(asking.another()) == [[[3, 4]]]
    await came(record, stands(A, 6, 7))
    await asking.look()
    assert await asking.look() == [[[3, 4], [6, 6]]]


@pytest.mark.parametrize(
    "reply",
    [
        {"ok": False, "error": "still telling\n\x1b[2J"},
        {"result": None},
        {"result": {"again": -1, "gone": [], "void": []}},
        {"result": {"again": 1, "gone": [[4, 3]], "void": []}},
        {"result": {"again": 1, "gone": [], "void": [[1, 2**70]]}},
    ],
)
async def test_what_is_no_answer_changes_nothing(
    office: Office,
    record: Record,
    asking: Asking,
    reply: Json,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await came(record, stands(A, 1, 2), stands(A, 4, 5))
    asking.reply = reply
    await asking.look()
    assert await asking.look() == [[[3, 4]]]
    assert missing(office) == {A: "{[3,5)}"}
    assert all(each.message.isprintable() for each in caplog.records)


async def test_what_is_gone_is_so_until_it_comes(
    office: Office, record: Record, asking: Asking
) -> None:
    await came(record, stands(A, 1, 2), stands(A, 6, 7))
    asking.reply = {"result": {"again": 0, "gone": [[1, 4]], "void": [[6, 99]]}}
    await asking.look()
    assert await asking.look() == [[[3, 6]]]
    assert missing(office) == {A: "{[5,6)}"}
    await asking.look()
    figures = asking.holes.figures
    assert (figures.missing, figures.again, figures.gone) == (1, 0, 2)
    await came(record, stands(A, 2, 3), stands(A, 4, 5))
    await asking.look()
    assert (figures.missing, figures.again, figures.gone) == (0, 1, 1)


async def test_of_many_holes_some_are_asked_for_and_of_too_many_none(
    office: Office, record: Record, asking: Asking
) -> None:
    await came(record, *(stands(A, 2 * n, 2 * n + 1) for n in range(200)))
    await asking.look()
    (ranges,) = await asking.look()
    assert len(ranges) == holes.RANGES
    office.database.rows(
        "UPDATE hall.stores SET accounted = range_agg FROM "
        "(SELECT range_agg(int8range(2 * n, 2 * n + 1)) FROM generate_series(1, 3002) AS n) AS many"
    )
    await asking.look()
    assert asking.holes.figures.gone == 3001
    assert missing(office) == {A: "{}"}


# What is done about it.


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holes, "LOOK_S", 0.2)
    monkeypatch.setattr(jetstream_link, "STATE_CHANGED_S", 0.2)
    monkeypatch.setattr(jetstream_link, "STATE_S", 0.4)


@asynccontextmanager
async def working(office: Office, folder: Path) -> AsyncGenerator[SimulatedHall]:
    """A hall that has told some events, whose workers are all away."""
    links = LinkSettings(
        servers=office.cluster.servers, creds={HALL: office.credentials.hall_creds(HALL)}
    )
    async with (
        SimulatedHall(place(1), folder, 1, new_run()) as hall,
        HallLinks(links, [hall]) as sinks,
    ):
        await hall.fill(200, 400)
        await sinks.connect()
        await told(hall)
        yield hall


async def told(hall: SimulatedHall) -> None:
    async def all_of_it() -> bool:
        return not hall.waiting

    await until(all_of_it)


async def stream(link: Link) -> Json:
    return (await link.ask(f"STREAM.INFO.{subjects.EVENTS_STREAM}"))["state"]


async def lose(link: Link, *sequences: int) -> None:
    """The stream has forgotten them."""
    for sequence in sequences:
        await link.ask(f"STREAM.MSG.DELETE.{subjects.EVENTS_STREAM}", {"seq": sequence})


def account(office: Office, hall: SimulatedHall) -> truth.Account:
    promises = {HALL: promised(hall.path)}
    return truth.check(office.database.dsn("hall_console"), promises)


@pytest.mark.usefixtures("hurried")
async def test_what_the_stream_lost_is_told_again(office: Office, tmp_path: Path) -> None:
    """The first, some in between, and the last, which only the hall's state tells of."""
    async with working(office, tmp_path) as hall, office.link() as link:
        was = await stream(link)
        first, last = was["first_seq"], was["last_seq"]
        await lose(link, first, first + 50, first + 51, first + 90, last)
        async with office.worker() as worker:

            async def whole() -> bool:
                return account(office, hall).right

            await until(whole)

            async def known() -> bool:
                figures = worker.figures.holes
                return (figures.missing, figures.again, figures.gone) == (0, 5, 0)

            await until(known)
    ((again, gone),) = office.database.rows("SELECT again, gone FROM hall.shortfalls")
    assert (again, gone) == (5, 0)
    assert set(missing(office).values()) == {"{}"}


@pytest.mark.usefixtures("hurried")
async def test_what_the_hall_has_no_more_is_lost_for_good_and_can_be_seen(
    office: Office, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with working(office, tmp_path) as hall, office.link() as link:
        first = (await stream(link))["first_seq"]
        await lose(link, first, first + 1)
        with closing(sqlite3.connect(hall.path)) as store:
            store.execute("DELETE FROM outbox WHERE position <= 2")
            store.commit()
        async with office.worker() as worker:

            async def known() -> bool:
                return worker.figures.holes.gone == 2

            await until(known)
    assert set(missing(office).values()) == {"{}"}
    assert office.database.rows("SELECT again, gone FROM hall.shortfalls") == [(0, 2)]
    assert "lost for good" in caplog.text
