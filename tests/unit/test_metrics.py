"""/metrics and /health of a gateway that runs, on its control socket and on TCP."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hall_gateway import health_api
from hall_gateway.config import GatewayConfig
from hall_gateway.control import NAME
from hall_gateway.durations import BOUNDS_S, Durations
from hall_gateway.heart import Heart
from hall_gateway.metric_families import FAMILIES
from hall_gateway.metrics import COMMIT_SECONDS
from hall_gateway.service import Gateway, composed
from hall_gateway.unix_socket import address
from hall_tools.ports import free_port
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families

EVENT = b'{"epoch":1,"seq":1,"boot":1,"up":5,"t":null,"kind":"passage","data":{"dir":"in"}}'


@asynccontextmanager
async def running(folder: Path, **tables: Any) -> AsyncGenerator[tuple[Gateway, Any]]:
    """A gateway with an embedded broker, and a session with its control socket."""
    port = free_port()
    config = GatewayConfig.model_validate(
        {
            "hall": "demo",
            "store": {"path": str(folder / "hall.db"), "max_mb": 64},
            "broker": {"mode": "embedded", "port": port},
            "upstream": {"port": port},
            "device": [{"id": "c-1", "profile": "people-counter-beams", "zone": "entrance"}],
            **tables,
        }
    )
    async with composed(config) as gateway:
        stop = asyncio.Event()
        work = asyncio.create_task(gateway.run(stop))
        for mqtt in gateway.brokers.values():
            await mqtt.wait_connected()
        await asyncio.wait_for(gateway._control.listening.wait(), 60)
        with address(folder / NAME) as place:
            connector = aiohttp.UnixConnector(place)
            async with aiohttp.ClientSession(connector=connector) as session:
                yield gateway, session
        stop.set()
        await work


async def samples(session: Any, url: str = "http://gateway/metrics") -> dict[tuple[str, ...], Any]:
    """Every sample, by its name and the values of its labels."""
    async with session.get(url) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        families = list(text_string_to_metric_families(await response.text()))
    assert all(family.documentation for family in families)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


async def test_every_metric_is_there_and_tells_what_is_so(tmp_path: Path) -> None:
    async with running(tmp_path) as (gateway, session):
        await gateway.core.event("c-1", EVENT)
        await gateway.core.event("stranger", EVENT)
        await gateway.core.online("c-1", True)
        await gateway.core.advance("hall", 0)
        told = await samples(session)
        assert told["hallkit_events_stored_total",] == 1
        assert told["hallkit_refused_total", "unknown_device"] == 1
        assert told["hallkit_device_online", "c-1"] == 1
        assert told["hallkit_broker_connected", "devices"] == 1
        assert told["hallkit_health_status", "ok"] == 1
        assert told["hallkit_store_limit_bytes",] == 64 * 1024 * 1024
        assert (
            told["hallkit_commit_seconds_count",] == told["hallkit_commit_seconds_bucket", "+Inf"]
        )
        assert told["hallkit_sink_last_acked_timestamp_seconds", "hall"] > 1.7e9
        assert told["process_resident_memory_bytes",] > 1e6
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        async with session.get("http://gateway/metrics", headers=accept) as response:
            names = {family.name for family in open_metrics(await response.text())}
        assert {family.name for family in FAMILIES} | {COMMIT_SECONDS} <= names


async def test_health_is_503_when_nothing_is_taken(tmp_path: Path) -> None:
    async with running(tmp_path) as (gateway, session):
        async with session.get("http://gateway/health") as response:
            assert (response.status, await response.json()) == (
                200,
                {"status": "ok", "reasons": []},
            )

        def fill(heart: Heart, _: int) -> None:
            heart.full = lambda: True  # type: ignore[method-assign]
            heart._full = True

        await gateway.core.do(fill)  # in the store's thread, which may look at it at any time
        await gateway.core.tick()
        async with session.get("http://gateway/health") as response:
            assert response.status == 503
            (reason,) = (await response.json())["reasons"]
            assert reason["code"] == "store_full"


async def test_tcp_has_both_and_nothing_that_changes_anything(tmp_path: Path) -> None:
    port = free_port()
    async with running(tmp_path, http={"port": port}) as (gateway, _):
        assert gateway._http is not None
        await asyncio.wait_for(gateway._http.listening.wait(), 60)
        url = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession() as other:
            told = await samples(other, f"{url}/metrics")
            assert told["hallkit_health_status", "ok"] == 1
            async with other.post(f"{url}/command/call", json={"by": "x"}) as response:
                assert response.status == 404
            async with other.get(f"{url}/changes") as response:
                assert response.status == 404
                assert json.loads(await response.read())["error"] == "GET /changes: Not Found"


async def test_nobody_takes_all_sockets_of_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_api, "MAX_CONNECTIONS", 2)
    port = free_port()
    async with running(tmp_path, http={"port": port}) as (gateway, _):
        assert gateway._http is not None
        await asyncio.wait_for(gateway._http.listening.wait(), 60)
        taken = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.read(), 60) == b""
        for _, other in (*taken, (reader, writer)):
            other.close()


async def test_a_port_that_is_taken_keeps_no_hall_from_working(tmp_path: Path) -> None:
    port = free_port()
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    async with taken, running(tmp_path, http={"port": port}) as (gateway, session):
        assert (await samples(session))["hallkit_health_status", "ok"] == 1
        assert gateway._http is not None
        assert f"127.0.0.1:{port}" in gateway._http.error


def test_names_say_their_unit_and_labels_are_bounded() -> None:
    for family in FAMILIES:
        assert re.fullmatch(r"hallkit_[a-z_]+[a-z]", family.name)
        assert not family.name.endswith("_total")
        if family.labels:
            assert family.labels[0] in {
                *("version", "status", "type", "reason", "outcome"),
                *("sink", "broker", "device"),
            }


def test_durations_are_counted_by_size() -> None:
    durations = Durations()
    for seconds in (0.0004, 0.0005, 0.003, 100.0):
        durations.took(seconds)
    told = dict(durations.up_to())
    assert (told[BOUNDS_S[0]], told[0.005], told[10.0], told[float("inf")]) == (2, 3, 3, 4)
