"""What a hall tells of itself over NATS JetStream, and what it is told: its state, commands, and
their answers, at a real nats-server with credentials as in production."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hall_fleet.link import Link
from hall_fleet.sender import send_command
from hall_gateway import jetstream_connection
from hall_gateway import jetstream_subjects as subjects
from hall_gateway.jetstream_credentials import read_credentials
from hall_gateway.values import DeviceOrder
from support.back_office import BUSY_S, BackOffice, impatient, linked, open_office, until
from support.core_hall import NOON, Clock

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BackOffice]:
    async with open_office(tmp_path_factory.mktemp("office")) as opened:
        yield opened


async def test_the_hall_tells_how_it_is(tmp_path: Path, office: BackOffice):
    listening = await office.listen(subjects.state("stately"))
    config = office.config("stately", name="城东供电营业厅")
    async with linked(tmp_path, "stately", config) as hall:
        state = json.loads((await listening.next_msg(BUSY_S)).data)
        assert state["hall"] == "stately"
        assert state["at"] == "2027-01-15T08:00:00.000Z"
        assert (state["status"], state["problems"], state["alerts"]) == ("ok", [], [])
        assert (state["name"], state["class"], state["outbox"]) == ("城东供电营业厅", "B", 0)
        assert state["told"] == {"store": hall.core.store_id, "began": 0, "to": 0}
        devices = {device["id"]: device for device in state["devices"]}
        assert devices["kp-1"] == {
            "id": "kp-1",
            "profile": "keypad-5",
            "where": "window/1",
            "online": False,
            "fw": None,
            "error": None,
        }
        await hall.core.online("kp-1", True)
        while not devices["kp-1"]["online"]:
            state = json.loads((await listening.next_msg(BUSY_S)).data)
            devices = {device["id"]: device for device in state["devices"]}
    last = await office.streams.get_last_msg(subjects.STATES_STREAM, subjects.state("stately"))
    assert json.loads(last.data or b"{}")["devices"] == state["devices"]


async def test_commands(tmp_path: Path, office: BackOffice):
    replies = await office.listen("hall.v1.ordered.reply.*")

    async def give(name: str, expires: str | None, **payload: Any) -> None:
        headers = None if expires is None else {"Hall-Expires": expires}
        subject = subjects.command("ordered", name)
        await office.nats.publish(subject, json.dumps(payload).encode(), headers=headers)

    async def answer() -> tuple[str, dict[str, Any]]:
        message = await replies.next_msg(BUSY_S)
        return message.subject.rpartition(".")[2], json.loads(message.data)

    soon, over = str(NOON + 60_000), str(NOON)
    async with linked(tmp_path, "ordered", office.config("ordered")) as hall:
        await until(lambda: hall.link.servers.connected, "connected")
        call = {"id": "c.1", "ticket": "A001", "window": "1"}
        await give("call", soon, **call)
        place, first = await answer()
        assert (place, first["id"], first["ok"]) == ("c%2E1", "c.1", True)
        events = len(await hall.ids())
        await give("call", soon, **call)
        assert (await answer())[1] == first
        await give("call", over, **call)
        assert (await answer())[1] == first, "what was done before keeps its reply"
        assert (await hall.core.command("call", json.dumps(call).encode())) is not None
        assert len(await hall.ids()) == events, "done once, whichever link brings it"

        late = {"id": "c2", "ticket": "A002", "window": "2"}
        for expires, said in (
            (over, "it has expired on its way; nothing was done"),
            (None, "the header Hall-Expires is missing"),
            ("tomorrow", "the header Hall-Expires is no time"),
            (str(NOON + subjects.MAX_TTL_MS + 1), "too far ahead"),
        ):
            await give("call", expires, **late)
            _, refused = await answer()
            assert (refused["id"], refused["ok"]) == ("c2", False)
            assert said in refused["error"]
        assert len(await hall.ids()) == events
        for expires in (over, None):  # a hall with a wrong clock has to tell again, too
            await give("tell_again", expires, id="c2", store="x" * 1024)
            assert "store" in (await answer())[1]["error"]
        await give("tell_again", soon, store="0" * 16)
        await give("dance", soon, id="c3")
        assert "no command dance" in (await answer())[1]["error"]
        for garbage in (b"", b"\xff", b"[]", b"{}", b"x" * 100_000):
            subject = subjects.command("ordered", "call")
            await office.nats.publish(subject, garbage, headers={"Hall-Expires": soon})
        await give("call", soon, **late)
        assert (await answer())[1]["ok"], "and the link goes on"


async def test_a_flood_of_commands_is_bounded_and_counted(
    tmp_path: Path, office: BackOffice, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jetstream_connection, "MAX_COMMANDS", 5)
    replies = await office.listen("hall.v1.flooded.reply.last")
    async with linked(tmp_path, "flooded", office.config("flooded")) as hall:
        await until(lambda: hall.link.servers.connected, "connected")
        room, real = asyncio.Event(), hall.core.do

        async def slow(*asked: Any, **more: Any) -> Any:
            await room.wait()
            return await real(*asked, **more)

        monkeypatch.setattr(hall.core, "do", slow)
        where, headers = subjects.command("flooded", "recall"), {"Hall-Expires": str(NOON + 1000)}
        for number in range(50):
            body = json.dumps({"id": f"c{number}", "window": "1"}).encode()
            await office.nats.publish(where, body, headers=headers)
        await until(lambda: hall.link.refused["command_flood"] > 0, "some are dropped")
        assert hall.link.servers.waiting <= 5
        room.set()
        await until(lambda: not hall.link.servers.waiting, "the others are handled")
        body = json.dumps({"id": "last", "window": "1"}).encode()
        await office.nats.publish(where, body, headers=headers)
        assert json.loads((await replies.next_msg(BUSY_S)).data)["id"] == "last"


async def test_a_late_reply_goes_over_the_link_that_took_the_command(
    tmp_path: Path, office: BackOffice
):
    replies = await office.listen("hall.v1.slow.reply.*")
    async with linked(tmp_path, "slow", office.config("slow")) as hall:
        await until(lambda: hall.link.servers.connected, "connected")
        await hall.core.online("disp-1", True)
        order: dict[str, Any] = {"device": "disp-1", "do": "identify", "args": {}}
        body = json.dumps({"id": "over-nats", **order}).encode()
        headers = {"Hall-Expires": str(NOON + 60_000)}
        await office.nats.publish(subjects.command("slow", "device"), body, headers=headers)
        other = json.dumps({"id": "over-mqtt", **order}).encode()
        assert await hall.core.command("device", other) is None
        orders: list[DeviceOrder] = []
        while len(orders) < 2:
            orders += await hall.core.take_device_commands()
            await asyncio.sleep(0.02)
        for id in ("over-mqtt", "over-nats"):
            reply = f'{{"id": "{id}", "ok": true, "result": {{}}}}'
            assert await hall.core.reply("disp-1", reply.encode()) == id
        message = await replies.next_msg(BUSY_S)
        assert message.subject == subjects.reply("slow", "over-nats")
        assert json.loads(message.data) == {"id": "over-nats", "ok": True, "result": {}}
        assert [reply.id for reply in await hall.core.replies()] == ["over-mqtt"]


async def test_what_the_stream_lost_is_told_again(tmp_path: Path, office: BackOffice):
    who = read_credentials(office.credentials.creds("backoffice"))
    ids = count(1)

    async def ask(*ranges: tuple[int, int], **more: Any) -> dict[str, Any]:
        body = {"id": f"again-{next(ids)}", "store": store, "ranges": ranges} | more
        reply = await send_command(
            lambda: Link(office.cluster.servers, who, None, "backoffice"),
            *("loser", subjects.TELL_AGAIN, body),
            ttl_s=BUSY_S,
        )
        assert reply.pop("id") == body["id"]
        return reply

    clock = Clock(time.time_ns() // 1_000_000)
    async with linked(tmp_path, "loser", office.config("loser"), clock) as hall:
        for number in range(4):
            await hall.hall.serve(f"A{number:03}")
        await hall.delivered()
        last = len(await hall.ids())
        before = await office.stored("loser", last)
        store = hall.core.store_id
        for lost in (2, 3, 7):
            await office.streams.delete_msg(
                subjects.EVENTS_STREAM, before[lost - 1].metadata.sequence.stream
            )
        assert await ask((2, 3), (7, 7), (last + 1, last + 5)) == {
            "ok": True,
            "result": {"again": 3, "gone": [], "void": [[last + 1, last + 5]]},
        }
        after = await office.stored("loser", last)
        await until(lambda: hall.link.told_again == 3, "what the stream has again is counted")
        for old, new in zip([before[at] for at in (1, 2, 6)], after[-3:], strict=True):
            assert (new.subject, new.data) == (old.subject, old.data)
            headers = dict(old.headers or {})
            del headers["Nats-Msg-Id"]
            assert new.headers == headers

        await hall.core.do(
            lambda heart, _now: heart.sinks.run("DELETE FROM outbox WHERE position < 6")
        )
        assert (await ask((4, 5)))["result"] == {"again": 0, "gone": [[4, 5]], "void": []}
        assert (await ask((4, 9), store="0" * 16))["result"]["gone"] == [[4, 9]]
        assert (await ask((9, 8)))["error"].startswith("ranges: [9, 8] is not in order; give 1 to")
        assert (await ask(*[(n, n) for n in range(1001, 1101)]))["ok"], "more than 1 KiB"
        await office.stored("loser", last)
