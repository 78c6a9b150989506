"""The gateway's control socket: who gets in, commands with their replies, what has changed."""

import asyncio
import json
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hall_gateway import control
from hall_gateway.control import NEWS, Control
from hall_gateway.unix_socket import address
from support.core_hall import Hall, open_hall


class Client:
    """Somebody on this machine."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(f"http://gateway{path}", data=data) as response:
            return response.status, await response.json()

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(f"http://gateway{path}") as response:
            return response.status, await response.json()


@asynccontextmanager
async def client_of(path: Path) -> AsyncGenerator[Client]:
    with address(path) as place:
        connector = aiohttp.UnixConnector(place)
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            yield Client(session)


@asynccontextmanager
async def served(folder: Path) -> AsyncGenerator[tuple[Hall, Client]]:
    path = folder / control.NAME
    async with (
        open_hall(folder) as hall,
        Control(hall.core, path, ()).open(),
        client_of(path) as client,
    ):
        yield hall, client


async def message(response: aiohttp.ClientResponse) -> Any:
    """The next message of a stream, without its heartbeats."""
    while True:
        line = await response.content.readline()
        assert line, "the stream ended"
        if line.startswith(b"data: "):
            return json.loads(line[6:])


async def test_only_the_gateways_user_and_group_get_in(tmp_path: Path) -> None:
    async with served(tmp_path):
        path = tmp_path / control.NAME
        assert stat.filemode(path.stat().st_mode) == "srw-rw----"
    assert not path.exists()


async def test_a_folder_may_be_deeper_than_the_address_of_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("f" * 100) / ("g" * 100)
    folder.mkdir(parents=True)
    async with served(folder) as (_, client):
        assert (await client.post("/command/no_such", {"by": "li"}))[0] == 200


async def test_a_socket_left_behind_makes_way_and_one_in_use_does_not(tmp_path: Path) -> None:
    path = tmp_path / control.NAME
    async with served(tmp_path):
        with pytest.raises(OSError, match=r"control\.sock: another process listens there"):
            async with Control(None, path, ()).open():  # type: ignore[arg-type]
                pass
        path.rename(tmp_path / "left")
    (tmp_path / "left").rename(path)
    async with served(tmp_path) as (_, client):
        assert (await client.get("/no"))[0] == 404
    path.write_text("mine")
    with pytest.raises(OSError, match="something else than a socket is there"):
        async with Control(None, path, ()).open():  # type: ignore[arg-type]
            pass
    assert path.read_text() == "mine"


async def test_a_command_is_answered_and_who_gave_it_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with served(tmp_path) as (hall, client):
        call = {"by": "li", "id": "a-1", "ticket": "A015", "window": "1"}
        status, reply = await client.post("/command/call", call)
        assert (status, reply["ok"], reply["id"]) == (200, True, "local:a-1")
        assert hall.desired("disp-1")["ticket"] == "A015"
        again = await client.post("/command/call", call)
        assert again == (200, reply)
        kept = await hall.core.do(
            lambda heart, _: heart._store.run("SELECT id, name, given_by FROM commands").fetchall()
        )
        assert kept == [("local:a-1", "call", "li")]
        assert "li: command call (local:a-1)" in caplog.text
        status, reply = await client.post("/command/call", {"by": "li", "ticket": "A015"})
        assert (status, reply["ok"]) == (200, False)
        assert reply["error"].startswith("window: missing; give one of 1, 2")


async def test_commands_on_this_machine_and_of_the_hall_system_have_ids_of_their_own(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as (hall, client):
        await client.post("/command/pause", {"by": "li", "id": "c", "window": "1"})
        reply = await hall.core.command("resume", b'{"id":"c","window":"1"}')
        assert reply is not None
        assert json.loads(reply.body)["ok"]


async def test_a_late_reply_comes_here_and_not_to_the_hall_system(tmp_path: Path) -> None:
    async with served(tmp_path) as (hall, client):
        asked = client.post("/command/device", {"by": "li", "device": "kp-1", "do": "identify"})
        task = asyncio.create_task(asked)
        await hall.core.signals.device_commands.wait()
        (order,) = await hall.core.take_device_commands()
        answer = json.dumps({"id": order.id, "ok": True, "result": {"lit": 5}}).encode()
        assert await hall.core.reply("kp-1", answer) == order.id
        assert await task == (200, {"id": order.id, "ok": True, "result": {"lit": 5}})
        assert await hall.core.replies() == []
        assert not hall.core.signals.replies.is_set()


async def test_a_device_that_does_not_answer_is_an_error_within_its_time(tmp_path: Path) -> None:
    async with served(tmp_path) as (hall, client):
        body = {"by": "li", "device": "kp-1", "do": "identify", "ttl_s": 5}
        task = asyncio.create_task(client.post("/command/device", body))
        await hall.core.signals.device_commands.wait()
        hall.clock.pass_s(5)
        await hall.core.tick()
        status, reply = await task
        assert (status, reply["ok"]) == (200, False)
        assert reply["error"].startswith("device kp-1 did not answer in time")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "give a JSON object"),
        (b"{}", "by: missing; give who does it"),
        ({"by": ""}, "give who does it"),
        ({"by": "li\n"}, "by: not printable"),
        ({"by": "li", "id": "a b"}, "give 1 to 58 of"),
        ({"by": "li", "text": "x" * 300_000}, "at most 262144 bytes"),
    ],
)
async def test_a_body_that_will_not_do_is_told_why(tmp_path: Path, body: Any, said: str) -> None:
    async with served(tmp_path) as (_, client):
        status, told = await client.post("/command/call", body)
        assert status in (400, 413)
        assert said in told["error"]


async def test_a_full_store_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path) as (hall, client):
        monkeypatch.setattr(hall.core._heart, "full", lambda: True)
        status, told = await client.post("/command/pause", {"by": "li", "window": "1"})
        assert status == 507
        assert "the store is full" in told["error"]


async def test_a_defect_is_not_told_to_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path) as (hall, client):
        monkeypatch.setattr(hall.core, "command", None)
        status, told = await client.post("/command/pause", {"by": "li", "window": "1"})
        assert (status, told) == (500, {"error": "a defect of the gateway; its log has more"})
        assert "POST /command/pause failed" in caplog.text


async def test_changes_are_streamed_after_their_commit(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as (hall, client),
        client.session.get("http://gateway/changes") as stream,
    ):
        assert await message(stream) == {"news": list(NEWS)}
        await hall.core.online("kp-1", True)
        news: set[str] = set()
        while not {"outbox", "states"} <= news:
            news |= set((await message(stream))["news"])
        assert news <= {"outbox", "states", "desired"}


async def test_a_client_that_takes_nothing_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(control, "PATIENCE_S", 0.01)
    monkeypatch.setattr(aiohttp.web.StreamResponse, "write", never)
    async with served(tmp_path) as (_, client):
        with pytest.raises(aiohttp.ClientError):
            async with client.session.get("http://gateway/changes") as stream:
                await stream.content.readline()
    assert "takes nothing; it is dropped" in caplog.text


async def test_no_more_clients_follow_than_the_gateway_bears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "MAX_STREAMS", 1)
    async with (
        served(tmp_path) as (_, client),
        client.session.get("http://gateway/changes") as stream,
    ):
        await message(stream)
        status, told = await client.get("/changes")
        assert status == 503
        assert "follow the changes already" in told["error"]


async def test_an_end_closes_the_streams(tmp_path: Path) -> None:
    path = tmp_path / control.NAME
    async with open_hall(tmp_path) as hall, client_of(path) as client:
        async with Control(hall.core, path, ()).open():
            stream = await client.session.get("http://gateway/changes")
            await message(stream)
        assert await stream.read() == b"\n"
