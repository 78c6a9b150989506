"""A whole gateway with a back office over NATS beside its brokers, and what the doctor finds."""

import asyncio
import json
import os
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from hall_fleet.logins import hall_rights
from hall_gateway import jetstream_subjects as subjects
from hall_gateway.config_jetstream import JetStreamConfig
from hall_gateway.wire import unix_ms
from hall_tools.control_client import ask
from hall_tools.doctor.findings import Finding, Site
from hall_tools.doctor.jetstream import back_office
from hall_tools.ports import free_port
from support.back_office import BUSY_S, BackOffice, open_office
from support.gateway import SMALL_HALL, Gateway
from support.jetstream_creds import make_creds

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BackOffice]:
    async with open_office(tmp_path_factory.mktemp("office")) as opened:
        yield opened


async def test_a_gateway_serves_both_its_hall_system_and_its_back_office(
    tmp_path: Path, office: BackOffice
):
    port = free_port()
    tables = (
        f"[jetstream]\nservers = {json.dumps(office.cluster.servers)}\n"
        f'creds_file = "{office.hall("demo")}"\nname = "城东供电营业厅"\n'
        f"[http]\nport = {port}\n{SMALL_HALL}"
    )
    states = await office.listen(subjects.state("demo"))
    replies = await office.listen("hall.v1.demo.reply.*")
    gateway = Gateway(tmp_path / "gateway", free_port(), tables=tables, embedded=True)
    try:
        await asyncio.to_thread(gateway.start)
        state = json.loads((await states.next_msg(BUSY_S)).data)
        assert (state["name"], state["class"]) == ("城东供电营业厅", "B")
        assert [device["id"] for device in state["devices"]][:2] == ["disp-1", "kp-1"]
        command = json.dumps({"id": "c1", "ticket": "A001", "window": "1"}).encode()
        expires = str(unix_ms(state["at"]) + 60_000)
        where = subjects.command("demo", "call")
        await office.nats.publish(where, command, headers={"Hall-Expires": expires})
        reply = await replies.next_msg(BUSY_S)
        assert json.loads(reply.data)["ok"]
        first = (await office.stored("demo", 1))[0]
        assert first.subject == subjects.event("demo", "ticket", "called")

        def asked(url: str) -> str:
            with urllib.request.urlopen(url, timeout=BUSY_S) as answer:
                return answer.read().decode()

        metrics = await asyncio.to_thread(asked, f"http://127.0.0.1:{port}/metrics")
        assert 'hallkit_broker_connected{broker="jetstream"} 1.0' in metrics
        assert 'hallkit_refused_total{reason="command_flood"} 0.0' in metrics
        assert 'hallkit_sink_told_again_total{sink="jetstream"} 0.0' in metrics

        def sink() -> dict[str, Any]:
            return ask(gateway.store, "/sinks")["jetstream"]

        assert (await asyncio.to_thread(sink))["error"] is None
    finally:
        code = await asyncio.to_thread(gateway.stop)
    assert code == os.EX_OK
    assert "Traceback" not in gateway.log


async def found(hall: str, table: JetStreamConfig | None) -> list[Finding]:
    settings = SimpleNamespace(hall=hall, jetstream=table)
    site = cast(Site, SimpleNamespace(settings=settings))
    return await asyncio.to_thread(lambda: list(back_office(site)))


async def test_the_doctor_finds_nothing_wrong_and_stores_nothing(office: BackOffice):
    (finding,) = await found("fit", office.config("fit"))
    assert (finding.level, finding.text) == (
        "good",
        "the back office's NATS servers let the gateway in, and their streams answer",
    )
    await office.stored("fit", 0)
    assert await found("none", None) == []


async def test_the_doctor_names_a_stream_that_is_missing(office: BackOffice):
    await office.drop(subjects.STATES_STREAM)
    try:
        (finding,) = await found("fit", office.config("fit"))
    finally:
        await office.make(subjects.STATES_STREAM)
    assert finding.level == "fault"
    assert "no stream takes hall.v1.fit.state" in finding.text
    assert "hall ingest setup" in finding.advice


async def test_the_doctor_names_servers_that_do_not_answer(office: BackOffice):
    away = "nats://127.0.0.1:9"
    (finding,) = await found("fit", office.config("fit", away))
    assert finding.level == "fault"
    assert f"do not let the gateway in: {away}: Connect call failed" in finding.text
    findings = await found("fit", office.config("fit", away, *office.cluster.servers))
    assert [finding.level for finding in findings] == ["warning"]
    assert "not all of the back office's NATS servers" in findings[0].text


async def test_the_doctor_reads_the_credentials(tmp_path: Path, office: BackOffice):
    other = office.config("fit", creds_file=office.hall("victim"))
    levels = [(finding.level, finding.text) for finding in await found("fit", other)]
    assert levels[0][0] == "fault"
    assert "are those of victim, not of hall fit" in levels[0][1]
    assert "does not let fit subscribe" in levels[1][1]
    old = make_creds(tmp_path, office.credentials, "fit", hall_rights("fit"), exp=1_700_000_000)
    findings = await found("fit", office.config("fit", creds_file=old))
    assert "expired on 2023-11-14T22:13:20.000Z" in findings[0].text
    assert "Authorization Violation" in findings[1].text
