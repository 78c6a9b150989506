"""Events that the servers lost, told again: what is asked for and answered, and how it is sent."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from hall_gateway import jetstream_again
from hall_gateway.jetstream_acks import NotTakenError, PubAck
from hall_gateway.jetstream_again import Again
from hall_gateway.jetstream_connection import Connection
from hall_gateway.jetstream_message import Outgoing
from hall_gateway.mqtt_message import DisconnectedError
from hall_gateway.store_sinks import SinkPlan
from support.core_hall import Device, Hall, open_hall

EVENTS = 300
TAKEN = PubAck("HALL_EVENTS")
TOLD = "jetstream: the back office misses 300 events that its servers took; told again"


@dataclass
class Servers:
    """One connection: takes what is published, and answers what it is told to."""

    key: bytes = b"key"
    sent: list[Outgoing] = field(default_factory=list[Outgoing])
    owed: "list[asyncio.Future[PubAck]]" = field(default_factory=list["asyncio.Future[PubAck]"])
    room: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, message: Outgoing) -> asyncio.Future[PubAck]:
        self.sent.append(message)
        self.owed.append(asyncio.get_running_loop().create_future())
        self.room.set()
        return self.owed[-1]

    async def owing(self, count: int) -> None:
        """Returns when so many have no answer."""
        async with asyncio.timeout(60):
            while len(self.owed) < count:
                self.room.clear()
                await self.room.wait()

    def answer(self, answer: PubAck | Exception = TAKEN) -> None:
        """What was sent first and is not answered."""
        first = self.owed.pop(0)
        first.set_result(answer) if isinstance(answer, PubAck) else first.set_exception(answer)

    @property
    def places(self) -> Iterator[str]:
        for message in self.sent:
            assert "Nats-Msg-Id" not in (message.headers or {})
            yield (message.headers or {})["Hall-Position"].partition("/")[2]


@dataclass
class Asked:
    """A hall with EVENTS events, and who tells them again."""

    hall: Hall
    again: Again
    servers: Servers
    telling: "asyncio.Task[None]"

    async def ask(self, *ranges: object, id: str = "a", **more: object) -> dict[str, Any]:
        body = {"id": id, "store": self.hall.core.store_id, "ranges": ranges} | more
        reply = await self.again.ask(id, json.dumps(body).encode())
        answer = json.loads(reply.body)
        assert reply.id == answer.pop("id") == id
        return answer

    async def told(self, count: int) -> None:
        """Returns when so many were told again, of one request, and the next is taken."""
        for _ in range(count):
            await self.servers.owing(1)
            self.servers.answer()
        await self.idle()

    async def idle(self) -> None:
        async with asyncio.timeout(60):
            while not (await self.ask([10**6, 10**6], id="idle"))["ok"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@asynccontextmanager
async def asked(folder: Path, events: int = EVENTS) -> AsyncGenerator[Asked]:
    async with open_hall(folder) as hall:
        plans = {"jetstream": SinkPlan(from_oldest=True)}
        await hall.core.do(lambda heart, now: heart.sinks.declare(plans, now))
        floor = Device("wet")
        bodies = [floor.event("dry", {"ohms": 300_000}) for _ in range(events)]
        if bodies:
            await hall.core.events("wet", bodies)
        again, servers = Again("demo", hall.core), Servers()
        telling = asyncio.create_task(again.publish(cast("Connection", servers)))
        try:
            yield Asked(hall, again, servers, telling)
        finally:
            telling.cancel()
            await asyncio.wait((telling,))


async def test_what_is_asked_for_is_sent_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked(tmp_path) as it:
        answer = await it.ask([2, 3], [5, 5], [EVENTS, EVENTS + 9])
        void = [[EVENTS + 1, EVENTS + 9]]
        assert answer == {"ok": True, "result": {"again": 4, "gone": [], "void": void}}
        await it.told(4)
        assert list(it.servers.places) == ["1/2", "2/3", "4/5", f"{EVENTS - 1}/{EVENTS}"]
        assert it.again.told == 4
        assert caplog.text.count("the back office misses 4 events that its servers took") == 1
        rows = await it.hall.rows()
        sent = it.servers.sent[0]
        assert (sent.headers or {})["ce-id"] == rows[1].id
        assert json.loads(sent.payload) == json.loads(rows[1].body)["data"]


async def test_few_are_in_flight_and_the_rest_follows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked(tmp_path) as it:
        first = await it.ask([1, EVENTS])
        await it.servers.owing(jetstream_again.WINDOW)
        for _ in range(9):
            await asyncio.sleep(0)
        assert len(it.servers.owed) == jetstream_again.WINDOW
        assert await it.ask([1, EVENTS]) == first, "the same request, whose answer was lost"
        refused = await it.ask([1, 1], id="b")
        assert refused == {
            "ok": False,
            "error": "still telling again what was asked for before",
        }
        await it.told(EVENTS)
        assert list(it.servers.places) == [f"{n}/{n + 1}" for n in range(EVENTS)]
        assert TOLD in caplog.text
        assert (await it.ask([1, 1], id="b"))["ok"]


async def test_no_more_than_so_many_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jetstream_again, "MOST", 7)
    async with asked(tmp_path, 20) as it:
        answer = await it.ask([3, 5], [7, 30], [31, 40])
        assert answer["result"] == {"again": 7, "gone": [], "void": []}
        await it.told(7)
        assert list(it.servers.places)[-1] == "9/10"


async def test_what_is_not_here_is_gone(tmp_path: Path) -> None:
    async with asked(tmp_path, 3) as it:
        answer = await it.ask([1, 2], [5, 9], store="0" * 16)
        assert answer["result"] == {"again": 0, "gone": [[1, 2], [5, 9]], "void": []}
        await it.hall.core.do(lambda heart, _: heart.sinks.run("DELETE FROM outbox"))
        answer = await it.ask([1, 2], [3, 9])
        assert answer["result"] == {"again": 0, "gone": [[1, 2], [3, 3]], "void": [[4, 9]]}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (NotTakenError("S refuses: full"), "S refuses: full"),
        (
            PubAck("OTHER"),
            "hall.v1.demo.event.floor.dry goes to the stream OTHER, and not to HALL_EVENTS",
        ),
        (DisconnectedError("gone"), "the connection ended"),
    ],
)
async def test_what_is_not_taken_is_given_up(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    answer: PubAck | DisconnectedError,
    why: str,
) -> None:
    async with asked(tmp_path) as it:
        await it.ask([1, EVENTS])
        await it.servers.owing(1)
        it.servers.answer()
        await it.servers.owing(1)
        it.servers.answer(answer)
        await it.idle()
        text = "the back office misses 300 events that its servers took; 299 are not told again: "
        assert text + why in caplog.text
        assert it.again.told == 1


async def test_a_connection_that_ends_ends_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked(tmp_path) as it:
        await it.ask([1, EVENTS])
        await it.servers.owing(jetstream_again.WINDOW)
        it.telling.cancel()
        await asyncio.wait((it.telling,))
        assert "300 are not told again: the connection ended" in caplog.text
        assert (await it.ask([1, 1]))["ok"]


async def test_what_goes_meanwhile_is_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked(tmp_path) as it:
        await it.ask([1, EVENTS])
        await it.servers.owing(jetstream_again.WINDOW)
        await it.hall.core.do(
            lambda heart, _: heart.sinks.run("DELETE FROM outbox WHERE position > 200")
        )
        await it.told(200)
        assert "100 are not told again: deleted meanwhile" in caplog.text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "store: missing; give 16 of 0-9 and a-f"),
        ({"store": "0" * 15}, "store: "),
        ({"store": "0" * 16}, "ranges: missing; give 1 to 100 ranges [first, last]"),
        ({"ranges": []}, "ranges: "),
        ({"ranges": [[n, n] for n in range(1, 102)]}, "ranges: "),
        ({"ranges": [[0, 1]]}, "ranges: input should be greater than or equal to 1"),
        ({"ranges": [[1, 2**63]]}, "ranges: input should be less than or equal to"),
        ({"ranges": [[1, 1e3]]}, "ranges: input should be a valid integer"),
        ({"ranges": [[1]]}, "ranges: "),
        ({"ranges": [[2, 1]]}, "ranges: [2, 1] is not in order; give 1 to 100"),
        ({"ranges": [[1, 4], [4, 5]]}, "ranges: [4, 5] is not in order; give 1 to 100"),
        ({"ranges": [[1, 2]], "store": "0" * 16, "more": 1}, "more: unknown field"),
    ],
)
async def test_any_other_body_is_refused(tmp_path: Path, body: dict[str, Any], said: str) -> None:
    async with open_hall(tmp_path) as hall:
        again = Again("demo", hall.core)
        reply = await again.ask("a", json.dumps({"id": "a", **body}).encode())
        answer = json.loads(reply.body)
        assert (answer["id"], answer["ok"]) == ("a", False)
        assert said in answer["error"]


async def test_the_largest_request_is_read(tmp_path: Path) -> None:
    async with asked(tmp_path, 0) as it:
        end = 2**63 - 1
        ranges = [[end - 2 * n - 1, end - 2 * n] for n in reversed(range(100))]
        answer = await it.ask(*ranges, id="i" * 64)
        assert answer["result"] == {"again": 0, "gone": [], "void": ranges}
