"""Sinks: which there are, what waits for them, and who decides about their dead letters."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hall_gateway import sinks_api, store
from hall_gateway.config import load_config
from hall_gateway.control_api import errors_as_json
from hall_gateway.core import Core
from hall_gateway.schema import StoreOpenError
from hall_gateway.sinks import Sinks
from hall_gateway.store_dead_letters import DeadLetter
from hall_gateway.store_sinks import SinkPlan
from hall_gateway.values import Signal, StoreError
from support.core_hall import Device, Hall, open_hall

HALL = {"hall": SinkPlan(from_oldest=True)}
OFFICE = {"webhook:office": SinkPlan()}


async def declare(hall: Hall, plans: dict[str, SinkPlan]) -> None:
    await hall.core.do(lambda heart, now: heart.sinks.declare(plans, now))


async def dry(hall: Hall, count: int, epoch: int = 1) -> None:
    """So many events from which nothing follows but their own CloudEvents."""
    floor = Device("wet", epoch)
    for _ in range(count):
        assert await hall.core.event("wet", floor.event("dry", {"ohms": 300_000}))


async def positions(hall: Hall, sink: str) -> list[int]:
    return [row.position for row in await hall.core.outbox(sink, 100)]


def figures(hall: Hall, sink: str) -> dict[str, Any]:
    sinks: Any = hall.core.health()["sinks"]
    return sinks[sink]


async def forget(hall: Hall) -> None:
    hall.clock.now += store.KEEP_MS + 1
    await hall.core.tick()


async def test_every_listener_is_woken(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        one, other = (hall.core.signals.outbox.listen() for _ in range(2))
        for event in (one, other):
            assert event.is_set()
            event.clear()
        await dry(hall, 1)
        async with asyncio.timeout(60):
            await asyncio.gather(one.wait(), other.wait())
        one.clear()
        assert other.is_set()


def test_who_no_longer_listens_is_forgotten() -> None:
    signal: Any = Signal()
    event = signal.listen()
    del event
    assert len(signal._listeners) == 0


async def test_a_new_webhook_begins_with_what_happens_from_then_on(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        await dry(hall, 3)
        await declare(hall, {**HALL, **OFFICE})
        await dry(hall, 1, epoch=7)
        assert await positions(hall, "hall") == [1, 2, 3, 4]
        assert await positions(hall, "webhook:office") == [4]


async def test_a_removed_sink_holds_nothing_back_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_hall(tmp_path) as hall:
        await declare(hall, {**HALL, **OFFICE})
        await dry(hall, 3)
        await hall.core.outbox("hall", 10)
        await hall.core.advance("hall", 3)
        await forget(hall)
        assert await positions(hall, "webhook:office") == [1, 2, 3]
    async with open_hall(tmp_path, hall.clock) as hall:
        await declare(hall, HALL)
        assert "webhook:office is not in the settings any more; 3 events waited" in caplog.text
        told = figures(hall, "webhook:office")
        assert (told["waited"], told["removed"]) == (3, hall.clock.now)
        assert hall.core.health()["outbox"] == {"hall": 0}
        await forget(hall)
        count = "SELECT count(*) FROM outbox"
        assert await hall.core.do(lambda heart, now: heart.sinks.value(count)) == 0


async def test_a_sink_that_comes_back_goes_on_where_it_stopped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_hall(tmp_path) as hall:
        await declare(hall, {**HALL, **OFFICE})
        await dry(hall, 3)
        await declare(hall, HALL)
        await declare(hall, {**HALL, **OFFICE})
        assert await positions(hall, "webhook:office") == [1, 2, 3]
        assert "deleted meanwhile" not in caplog.text
        await declare(hall, HALL)
        await hall.core.advance("hall", 2)
        await forget(hall)
        await declare(hall, {**HALL, **OFFICE})
        assert "webhook:office is back after being out of the settings; 2 events" in caplog.text
        assert await positions(hall, "webhook:office") == [3]
        assert figures(hall, "webhook:office")["removed"] is None


async def test_what_a_filter_leaves_out_is_passed_over_without_a_commit(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        await declare(hall, {"webhook:office": SinkPlan(("hall.rating.*",))})
        await dry(hall, 3)
        await hall.core.tick()
        for _ in range(2):
            assert await positions(hall, "webhook:office") == []
        told = figures(hall, "webhook:office")
        assert (told["waiting"], told["position"]) == (0, 0)
        await forget(hall)
        assert figures(hall, "webhook:office")["position"] == 3


async def test_a_rollback_takes_back_what_was_passed_over(tmp_path: Path) -> None:
    """Its positions are given again, to events that the sink may want."""
    async with open_hall(tmp_path) as hall:
        await declare(hall, {"webhook:office": SinkPlan(("hall.floor.*",))})
        await dry(hall, 1)
        await hall.core.advance("webhook:office", 1)

        def broken(heart: Any, now: int) -> None:
            for number in range(3):
                heart.sinks.add(f"x/1/{number}", ("rating", "given"), b"{}", now)
            assert heart.sinks.outbox("webhook:office", 9) == []
            raise KeyError("a defect")

        with pytest.raises(KeyError):
            await hall.core.do(broken)
        await dry(hall, 1, epoch=7)
        assert await positions(hall, "webhook:office") == [2]


# Dead letters over HTTP.


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncGenerator[tuple[Hall, Any]]:
    async with open_hall(tmp_path) as hall:
        await declare(hall, {**HALL, **OFFICE})

        def bury(heart: Any, now: int) -> None:
            for number in (1, 2):
                body = json.dumps({"id": f"cnt/1/{number}", "data": {"x": "<b>"}}).encode()
                letter = DeadLetter(
                    "webhook:office", f"cnt/1/{number}", body, "HTTP 400", 5, now, now + number
                )
                heart.dead_letters.bury(letter)

        await hall.core.do(bury)
        app = web.Application(middlewares=[errors_as_json])
        app.add_routes(sinks_api.routes(hall.core))
        async with TestClient(TestServer(app)) as client:
            yield hall, client


async def test_dead_letters_are_listed_and_decided(tmp_path: Path) -> None:
    async with served(tmp_path) as (hall, client):
        listed = await (await client.get("/dead-letters?sink=webhook:office")).json()
        assert [letter["event"] for letter in listed["dead_letters"]] == ["cnt/1/2", "cnt/1/1"]
        assert listed["dead_letters"][0]["body"]["data"] == {"x": "<b>"}
        by = {"by": "mei"}
        path = "/dead-letters/webhook:office"
        retried = await client.post(f"{path}/cnt/1/1/retry", json=by)
        assert (retried.status, (await retried.json())["by"]) == (200, "mei")
        assert hall.core.signals.dead_letters.is_set()
        gone = await client.post(f"{path}/cnt%2F1%2F2/discard", json=by)
        assert gone.status == 200
        again = await client.post(f"{path}/cnt/1/2/discard", json=by)
        assert again.status == 404
        assert "webhook:office has no dead letter cnt/1/2" in (await again.json())["error"]
        nobody = await client.post(f"{path}/cnt/1/1/discard", json={})
        assert nobody.status == 400
        sinks = await (await client.get("/sinks")).json()
        assert (sinks["webhook:office"]["dead"], sinks["webhook:office"]["discarded"]) == (1, 1)
        listed = await (await client.get("/dead-letters")).json()
        assert [(d["event"], d["step"], d["by"]) for d in listed["decisions"]] == [
            ("cnt/1/2", "discard", "mei"),
            ("cnt/1/1", "retry", "mei"),
        ]


async def test_nothing_is_retried_for_a_sink_that_was_removed(tmp_path: Path) -> None:
    async with served(tmp_path) as (hall, client):
        await declare(hall, HALL)
        path = "/dead-letters/webhook:office/cnt/1/1"
        refused = await client.post(f"{path}/retry", json={"by": "mei"})
        assert refused.status == 409
        assert (await client.post(f"{path}/discard", json={"by": "mei"})).status == 200


async def test_the_log_of_decisions_has_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hall_gateway.store_dead_letters.MAX_LOG", 3)
    async with served(tmp_path) as (hall, client):
        for _ in range(5):
            await client.post("/dead-letters/webhook:office/cnt/1/1/retry", json={"by": "mei"})
        await hall.core.tick()
        listed = await (await client.get("/dead-letters")).json()
        assert len(listed["decisions"]) == 3


async def test_a_full_disk_at_the_start_is_told_in_a_line(tmp_path: Path) -> None:
    class FullCore:
        async def do(self, _work: object) -> None:
            raise StoreError("nothing was committed: disk I/O error")

    (tmp_path / "gateway.toml").write_text(
        'hall = "demo"\nstore = { path = "hall.db" }\n'
        "broker = { port = 1883 }\nupstream = { port = 1884 }\n"
    )
    config = load_config(tmp_path / "gateway.toml")
    told = f"{tmp_path}/hall.db: nothing was committed: disk I/O error; check the disk"
    with pytest.raises(StoreOpenError, match=f"^{re.escape(told)}$"):
        await Sinks.open(config, cast("Core", FullCore()))
