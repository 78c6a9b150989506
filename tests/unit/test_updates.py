"""Roll-outs in the store, by the gateway's own HTTP: who may begin one, and what stops it."""

import base64
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hall_gateway import updates_api
from hall_gateway.console.words import texts
from hall_gateway.control_api import errors_as_json
from hall_gateway.release_store import ReleaseStore
from hall_gateway.update_fetch import BURST, PIECE, RATE, Fetches
from support import releases
from support.core_hall import Device, Hall, open_hall

GIVEN_UP = ("crash", "hang", "no_service", "space", "fault", "unconfirmed")

HOUR_S = 3600
NIGHT_S = 7 * HOUR_S
"""From the tests' first moment, 16:00 of the hall's clock, into the hours for updates."""


class Desk:
    """Somebody who rolls releases out."""

    def __init__(self, hall: Hall, client: "TestClient[Any, Any]", store: ReleaseStore) -> None:
        self.hall = hall
        self.store = store
        self._client = client

    async def hand_in(self, content: bytes) -> tuple[int, Any]:
        answer = await self._client.post("/releases", data=content)
        return answer.status, await answer.json()

    async def post(self, step: str, **body: object) -> tuple[int, Any]:
        answer = await self._client.post(f"/updates/{step}", json={"by": "李敏", **body})
        return answer.status, await answer.json()

    async def status(self) -> Any:
        return await (await self._client.get("/updates")).json()

    async def begin(self, version: str = "0.2.0", counter: int = 1, **body: object) -> Any:
        """A roll-out that must begin."""
        status, told = await self.hand_in(releases.release(version, counter).content())
        assert status == 200, told
        ids = [each["id"] for each in told["releases"]]
        status, begun = await self.post("roll-out", releases=ids, **body)
        assert status == 200, begun
        return begun

    async def refused(self, version: str, counter: int, **body: object) -> str:
        _, told = await self.hand_in(releases.release(version, counter).content())
        ids = [each["id"] for each in told["releases"]]
        status, answer = await self.post("roll-out", releases=ids, **body)
        assert status == 409, answer
        return answer["error"]

    async def orders(self) -> dict[str, dict[str, Any]]:
        """What devices are told now, by device."""
        await self.hall.core.tick()
        taken = await self.hall.core.take_device_commands()
        return {order.device: json.loads(order.body) for order in taken}


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_hall(tmp_path) as hall:
        for device in ("kp-1", "kp-2", "disp-1", "cnt"):
            await hall.core.online(device, True)
        hall.clock.pass_s(NIGHT_S)
        store = ReleaseStore(tmp_path / "releases", [releases.public_key()])
        app = web.Application(middlewares=[errors_as_json])
        app.add_routes(updates_api.routes(hall.core, store))
        async with TestClient(TestServer(app)) as client:
            yield Desk(hall, client, store)


async def happened(desk: Desk, device: Device, code: str, version: str = "0.2.0") -> None:
    await desk.hall.core.event(device.id, device.event("update", {"s": code, "v": version}))


async def test_a_device_is_told_once_and_its_events_count(desk: Desk) -> None:
    begun = await desk.begin(devices=["kp-1"])
    (told,) = (await desk.orders()).values()
    id = begun["targets"]["esp32"]["id"]
    content = desk.store.content(id) or b""
    assert content == releases.release("0.2.0", 1).manifests["xtensa"].content
    assert (told["do"], told["args"]["release"], told["args"]["size"]) == (
        "update",
        id,
        len(content),
    )
    until = told["args"]["until"] - desk.hall.clock()
    assert 0 < until <= 8 * HOUR_S * 1000
    assert await desk.orders() == {}
    kp = Device("kp-1")
    await happened(desk, kp, "staged")
    await happened(desk, kp, "confirmed")
    await desk.orders()
    (rollout,) = (await desk.status())["roll_outs"]
    assert (rollout["state"], rollout["members"][0]["phase"]) == ("done", "confirmed")
    types = [event["type"] for event in await desk.hall.events("hall.update.")]
    assert types == ["hall.update.staged", "hall.update.confirmed"]


async def test_an_answer_that_is_an_error_stops_it_with_an_alert(desk: Desk) -> None:
    await desk.begin(devices=["kp-1", "kp-2"])
    told = await desk.orders()
    answer = {"id": told["kp-2"]["id"], "ok": False, "error": "no_key: no keys on this device"}
    await desk.hall.core.reply("kp-2", json.dumps(answer).encode())
    off = await desk.orders()
    assert {device: body["args"] for device, body in off.items()} == {"kp-1": {"release": None}}
    (rollout,) = (await desk.status())["roll_outs"]
    assert (rollout["state"], rollout["device"], rollout["why"]) == ("stopped", "kp-2", "no_key")
    (alert,) = await desk.hall.events("hall.alert.raised")
    assert alert["data"]["rule"] == "firmware-update"
    assert alert["subject"] == "hall"
    await desk.orders()
    assert len(await desk.hall.events("hall.alert.raised")) == 1
    assert (await desk.post("resume"))[1]["state"] == "running"
    assert len(await desk.hall.events("hall.alert.cleared")) == 1
    assert (await desk.orders()).keys() == {"kp-1", "kp-2"}


async def test_what_a_device_says_is_fit_for_a_terminal(desk: Desk) -> None:
    journal = {"epoch": 7, "acked": 0, "next": 1, "lost": 0}
    said = {"v": "\x1b[2J0.1.0", "slot": ["a"], "s": "\x07" + "x" * 99, "p": "40"}
    state = {"journal": journal, "update": said}
    await desk.hall.core.state("kp-1", json.dumps(state).encode())
    shown = {each["device"]: each["update"] for each in (await desk.status())["devices"]}
    assert shown["kp-1"] == {"v": "[2J0.1.0", "s": "x" * 32}
    await desk.begin(devices=["kp-1"])
    told = await desk.orders()
    answer = {"id": told["kp-1"]["id"], "ok": False, "error": "\x1b]0;\x07: no"}
    await desk.hall.core.reply("kp-1", json.dumps(answer).encode())
    (rollout,) = (await desk.status())["roll_outs"]
    assert rollout["why"] == "]0;"


async def test_a_stop_by_hand_raises_no_alert(desk: Desk) -> None:
    await desk.begin()
    status, told = await desk.post("stop")
    assert (status, told["state"], told["stopped_by"]) == (200, "stopped", "李敏")
    await desk.orders()
    assert await desk.hall.events("hall.alert.") == []
    assert (await desk.post("stop"))[0] == 409
    assert (await desk.post("resume"))[0] == 200
    assert (await desk.post("resume"))[0] == 409


async def test_a_release_that_cannot_be_is_not_rolled_out(desk: Desk) -> None:
    await desk.begin("0.2.0", 7)
    assert "is being rolled out; stop that first" in await desk.refused("0.3.0", 8)
    await desk.post("stop")
    assert "ghost is not in this hall" in await desk.refused("0.3.0", 8, devices=["ghost"])
    assert "another release with the version 0.2.0" in await desk.refused("0.2.0", 8)
    await desk.begin("0.3.0", 8, devices=["kp-1"])
    await desk.orders()
    kp = Device("kp-1")
    await happened(desk, kp, "staged", "0.3.0")
    await happened(desk, kp, "confirmed", "0.3.0")
    await desk.orders()
    assert "its counter is 7, but devices have taken version 0.3.0 with 8" in await desk.refused(
        "0.4.0", 7
    )
    await desk.begin("0.4.0", 8)


async def test_what_is_not_signed_by_a_trusted_key_is_refused(desk: Desk, tmp_path: Path) -> None:
    for content, words in (
        (releases.unsigned().content(), "not signed"),
        (releases.release(key="other").content(), "trusted here"),
        (b"PK", "no release"),
        (b"", "no release"),
    ):
        status, told = await desk.hand_in(content)
        assert (status, words in told["error"]) == (400, True), told
    status, told = await desk.hand_in(bytes(16 * 1024 * 1024 + 1))
    assert (status, told["error"]) == (413, "a release has at most 16777216 bytes")
    assert (await desk.status())["releases"] == []
    unknown = await desk.post("roll-out", releases=["0" * 64])
    assert (unknown[0], "hand it in again" in unknown[1]["error"]) == (404, True)
    bodies: list[dict[str, Any]] = [{}, {"releases": []}, {"releases": ["x"]}]
    for body in (*bodies, {"releases": ["0" * 64], "for": 1}):
        assert (await desk.post("roll-out", **body))[0] == 400
    desk.store.keys = ()
    status, told = await desk.hand_in(releases.release().content())
    assert (status, "[updates] keys" in told["error"]) == (409, True)


async def test_a_store_that_is_opened_again_goes_on(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path / "releases", [releases.public_key()])
    ids = list(store.take(releases.release()).values())
    for again in (False, True):
        async with open_hall(tmp_path) as hall:
            app = web.Application(middlewares=[errors_as_json])
            app.add_routes(updates_api.routes(hall.core, store))
            hall.clock.pass_s(NIGHT_S + again)
            await hall.core.online("kp-1", True)
            async with TestClient(TestServer(app)) as client:
                desk = Desk(hall, client, store)
                if not again:
                    await desk.post("roll-out", releases=ids, devices=["kp-1"])
                assert len(await desk.orders()) == (0 if again else 1)
                assert (await desk.status())["roll_outs"][0]["members"][0]["phase"] == "ordered"


async def test_pieces_are_bounded_and_so_is_how_many_one_device_has(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path / "releases", [releases.public_key()])
    bundle = releases.release()
    ids = store.take(bundle)
    now = 1000.0
    fetches = Fetches(store, lambda: now)

    async def ask(device: str, body: object) -> dict[str, Any] | None:
        told = await fetches.answer(device, json.dumps(body).encode())
        assert told is None or len(told) < 1024
        return None if told is None else json.loads(told)

    wanted = {"sha256": ids["xtensa"], "at": 0}
    answers = [await ask("kp-1", wanted) for _ in range(100)]
    assert sum(answer is not None for answer in answers) == BURST
    assert fetches.refused["too_many_fetches"] == 100 - BURST
    assert await ask("kp-2", wanted) == answers[0]
    now += 1.0
    answers = [await ask("kp-1", wanted) for _ in range(100)]
    assert sum(answer is not None for answer in answers) == RATE
    piece = await ask("kp-2", {**wanted, "at": PIECE, "more": "is ignored"})
    assert piece is not None
    content = bundle.manifests["xtensa"].content
    assert base64.b64decode(piece["data"]) == content[PIECE : 2 * PIECE]
    assert piece["size"] == len(content)
    for bad in (None, {}, {"sha256": ids["xtensa"]}, {"sha256": 1, "at": 0}, {**wanted, "at": -1}):
        assert await ask("kp-2", bad) is None
    assert fetches.refused["bad_fetch"] == 5
    assert await fetches.answer("kp-2", b"\xff" * 2000) is None


def test_every_reason_is_told_on_the_page_and_in_both_languages() -> None:
    root = Path(__file__).parents[2]
    firmware = "".join(file.read_text() for file in (root / "firmware" / "hall").glob("*.py"))
    codes = {*re.findall(r'(?:RefusedError|_refuse)\("([a-z_]+)"\)', firmware), *GIVEN_UP}
    assert {"signature", "hash", "late", "no_key"} <= codes
    page = (root / "docs" / "updates.md").read_text()
    for code in codes:
        assert re.search(rf"^\|.*`{code}`.*\|.*\|.*\|$", page, re.MULTILINE), code
        for lang in ("zh", "en"):
            assert texts()[f"updates.why_{code}"][lang]
