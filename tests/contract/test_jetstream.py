"""The sink over NATS JetStream, at a real nats-server with credentials as in production: nothing is
lost, whatever the server does, and what keeps events waiting is named."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hall_fleet.logins import Rights, hall_rights
from hall_gateway import jetstream, jetstream_connection
from hall_gateway import jetstream_subjects as subjects
from hall_gateway.files import write_secret
from hall_gateway.jetstream_message import event
from hall_gateway.values import OutboxRow
from hall_tools.fleet.nats_server import NatsNode, NodePorts
from support.back_office import BUSY_S, BackOffice, impatient, linked, open_office, until
from support.certificate import self_signed
from support.core_hall import Device
from support.cutting_proxy import CuttingProxy
from support.jetstream_creds import make_creds

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = subjects.EVENTS_STREAM


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BackOffice]:
    async with open_office(tmp_path_factory.mktemp("office")) as opened:
        yield opened


async def test_an_event_is_a_cloud_event_in_binary_mode(tmp_path: Path, office: BackOffice):
    async with linked(tmp_path, "headers", office.config("headers")) as hall:
        await hall.hall.serve("A001")
        await hall.delivered()
        ids = await hall.ids()
        messages = await office.stored("headers", len(ids))
    assert [message.headers["ce-id"] for message in messages if message.headers] == ids
    called = messages[0]
    assert called.subject == "hall.v1.headers.event.ticket.called"
    assert json.loads(called.data)["ticket"] == "A001"
    headers = dict(called.headers or {})
    id, _, seal = headers.pop("Nats-Msg-Id").rpartition("/")
    assert (id, len(seal)) == (ids[0], 16)
    store = headers.pop("Hall-Position").partition("/")[0]
    places = [(m.headers or {})["Hall-Position"] for m in messages]
    assert places == [f"{store}/{number}/{number + 1}" for number in range(len(ids))]
    assert headers == {
        "ce-specversion": "1.0",
        "ce-id": ids[0],
        "ce-source": "/hall/headers/gateway",
        "ce-type": "hall.ticket.called",
        "ce-subject": "window/1",
        "ce-time": "2027-01-15T08:00:00.000Z",
        "ce-clockquality": "synced",
        "ce-datacontenttype": "application/json",
        "content-type": "application/json",
    }


async def test_a_server_that_is_killed_loses_nothing(tmp_path: Path, office: BackOffice):
    floor = Device("wet")
    (node,) = office.cluster.nodes
    async with linked(tmp_path, "killed", office.config("killed")) as hall:
        for _ in range(150):
            await hall.core.event("wet", floor.event("dry", {"ohms": 300_000}))
        await until(lambda: hall.sink["waiting"] < 150, "some events taken")
        await node.kill()
        await until(lambda: not hall.link.servers.connected, "the end of the connection seen")
        for _ in range(150):
            await hall.core.event("wet", floor.event("dry", {"ohms": 300_000}))
        await hall.failing("127.0.0.1")
        assert hall.sink["waiting"] >= 150
        await office.cluster.start()
        await hall.delivered()
        assert hall.sink["error"] is None
        ids = await hall.ids()
        messages = await office.stored("killed", len(ids))
        assert {m.headers["ce-id"] for m in messages if m.headers} == set(ids)


async def test_a_server_that_hangs_is_left_and_found_again(
    tmp_path: Path, office: BackOffice, monkeypatch: pytest.MonkeyPatch
):
    """As behind a router that drops everything: no connection is closed."""
    monkeypatch.setattr(jetstream_connection, "PING_S", 0.3)
    monkeypatch.setattr(jetstream_connection, "CONNECT_S", 0.5)
    (node,) = office.cluster.nodes
    floor = Device("wet")
    async with linked(tmp_path, "hung", office.config("hung")) as hall:
        await until(lambda: hall.link.servers.connected, "connected")
        node.process.send(signal.SIGSTOP)
        try:
            for _ in range(30):
                await hall.core.event("wet", floor.event("dry", {"ohms": 300_000}))
            await hall.failing("no answer within")
        finally:
            node.process.send(signal.SIGCONT)
        await hall.delivered()
        ids = await hall.ids()
        messages = await office.stored("hung", 30)
        assert [m.headers["ce-id"] for m in messages if m.headers] == ids


async def test_while_nobody_answers_nothing_is_read(
    tmp_path: Path, office: BackOffice, monkeypatch: pytest.MonkeyPatch
):
    away = ("nats://127.0.0.1:9", "nats://127.0.0.1:10")  # discard, and nobody
    config = office.config("away", *away)
    async with linked(tmp_path, "away", config) as hall:
        reads: list[object] = []

        async def outbox(*asked: object) -> list[OutboxRow]:
            reads.append(asked)
            return []

        monkeypatch.setattr(hall.core, "outbox", outbox)
        floor = Device("wet")
        for _ in range(20):
            await hall.core.event("wet", floor.event("dry", {"ohms": 300_000}))
        await hall.failing("Connect call failed")
        known = hall.sink["error"]
        assert all(f"{server}: Connect call failed" in known for server in away)
        tries = hall.link.servers.counters.failures
        await until(lambda: hall.link.servers.counters.failures > tries + 3, "more tries")
        assert hall.sink["error"] == known, "the same words, whichever is tried first"
        assert not reads


async def test_answers_that_are_lost_make_no_second_message(tmp_path: Path, office: BackOffice):
    (node,) = office.cluster.nodes
    async with CuttingProxy(node.ports.client) as proxy:
        config = office.config("cut", f"nats://127.0.0.1:{proxy.port}")
        async with linked(tmp_path, "cut", config) as hall:
            await until(lambda: hall.link.servers.connected, "connected")
            proxy.corrupt = lambda data: b""
            floor = Device("wet")
            for _ in range(10):
                await hall.core.event("wet", floor.event("dry", {"ohms": 300_000}))
            ids = await hall.ids()
            await office.stored("cut", 10)
            assert hall.sink["waiting"] == 10
            proxy.corrupt = lambda data: data
            proxy.cut()
            await hall.delivered()
            messages = await office.stored("cut", 10)
            assert [m.headers["ce-id"] for m in messages if m.headers] == ids


async def test_whoever_uses_an_id_before_us_keeps_nothing_out(tmp_path: Path, office: BackOffice):
    async with linked(tmp_path, "honest", office.config("honest", "nats://127.0.0.1:9")) as hall:
        await hall.hall.serve("A001")
        ids = await hall.ids()
        rows = await hall.hall.rows()
    subject = subjects.event("squatter", "ticket", "called")
    for row in rows:
        copy = event("squatter", "0" * 16, row, b"another key").headers or {}
        for id in (row.id, copy["Nats-Msg-Id"]):
            await office.streams.publish(subject, b"{}", headers={"Nats-Msg-Id": id})
    async with linked(tmp_path, "honest", office.config("honest")) as hall:
        await hall.delivered()
        messages = await office.stored("honest", len(ids))
        assert [m.headers["ce-id"] for m in messages if m.headers] == ids


async def test_a_full_stream_is_named_and_waited_for(tmp_path: Path, office: BackOffice):
    await office.make(EVENTS, max_msgs=4)
    async with linked(tmp_path, "full", office.config("full")) as hall:
        floor = Device("wet")
        for _ in range(12):
            await hall.core.event("wet", floor.event("dry", {"ohms": 300_000}))
        await hall.failing("HALL_EVENTS refuses: maximum messages exceeded")
        await until(
            lambda: hall.sink["waiting"] == 8, lambda: f"what it took is known: {hall.sink}"
        )
        await office.streams.update_stream(  # pyright: ignore[reportUnknownMemberType]
            name=EVENTS, subjects=[subjects.EVENTS], discard="new", max_msgs=-1
        )
        await hall.delivered()
        assert hall.sink["error"] is None
        ids = await hall.ids()
        messages = await office.stored("full", 12)
        assert {m.headers["ce-id"] for m in messages if m.headers} == set(ids)


async def test_a_stream_that_is_not_there_is_named_and_waited_for(
    tmp_path: Path, office: BackOffice
):
    await office.drop(EVENTS)
    async with linked(tmp_path, "early", office.config("early")) as hall:
        await hall.hall.serve("A001")
        await hall.failing("no stream takes hall.v1.early.event.ticket.called")
        await office.make(EVENTS)
        await hall.delivered()
        await office.stored("early", len(await hall.ids()))


async def test_another_stream_is_not_the_one(tmp_path: Path, office: BackOffice):
    await office.drop(EVENTS)
    await office.streams.add_stream(  # pyright: ignore[reportUnknownMemberType]
        name="ELSEWHERE", subjects=[subjects.EVENTS]
    )
    async with linked(tmp_path, "astray", office.config("astray")) as hall:
        await hall.hall.serve("A001")
        await hall.failing("goes to the stream ELSEWHERE, and not to HALL_EVENTS")
        await office.streams.delete_stream("ELSEWHERE")
        await office.make(EVENTS)
        await hall.delivered()


async def test_an_event_that_is_too_large_for_the_stream_is_named(
    tmp_path: Path, office: BackOffice
):
    await office.make(EVENTS, max_msg_size=64)
    async with linked(tmp_path, "large", office.config("large")) as hall:
        await hall.hall.serve("A001")
        await hall.failing("HALL_EVENTS refuses: message size exceeds maximum allowed")
        await office.make(EVENTS)
        await hall.delivered()


async def test_a_stream_that_does_not_answer_is_named(
    tmp_path: Path, office: BackOffice, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jetstream_connection, "ACK_S", 0.5)
    await office.drop(EVENTS)
    await office.streams.add_stream(  # pyright: ignore[reportUnknownMemberType]
        name=EVENTS, subjects=[subjects.EVENTS], no_ack=True
    )
    async with linked(tmp_path, "silent", office.config("silent")) as hall:
        await hall.hall.serve("A001")
        await hall.failing("no stream answered on hall.v1.silent.event.ticket.called for 0 s")
        await office.make(EVENTS)
        await hall.delivered()


async def test_a_hall_with_another_s_credentials_says_so(tmp_path: Path, office: BackOffice):
    config = office.config("liar", creds_file=office.hall("victim"))
    async with linked(tmp_path, "liar", config) as hall:
        await hall.hall.serve("A001")
        await hall.failing("does not let liar subscribe: permissions violation")
        assert hall.sink["waiting"] == 3


async def test_rights_to_publish_that_are_missing_are_named(tmp_path: Path, office: BackOffice):
    """The server says so beside the message, which it does not answer."""
    rights = Rights((subjects.state("mute"),), tuple(subjects.may_subscribe("mute")))
    own = make_creds(tmp_path, office.credentials, "mute", rights)
    async with linked(tmp_path, "mute", office.config("mute", creds_file=own)) as hall:
        await hall.hall.serve("A001")
        await hall.failing("do not let this hall publish hall.v1.mute.event.ticket.called")
        assert hall.link.servers.connected
        assert hall.sink["waiting"] == 3


async def test_credentials_that_expired_are_named(tmp_path: Path, office: BackOffice):
    own = make_creds(tmp_path, office.credentials, "late", hall_rights("late"), exp=1_700_000_000)
    async with linked(tmp_path, "late", office.config("late", creds_file=own)) as hall:
        await hall.failing("the credentials expired on 2023-11-14T22:13:20.000Z")


async def test_credentials_that_are_revoked_and_new_ones(tmp_path: Path, office: BackOffice):
    (node,) = office.cluster.nodes
    own = tmp_path / "hall.creds"
    write_secret(own, office.hall("leaver").read_bytes())
    async with linked(tmp_path, "leaver", office.config("leaver", creds_file=own)) as hall:
        await hall.hall.serve("A001")
        await hall.delivered()
        office.credentials.revoke(["leaver"])
        node.configure(office.credentials.server_settings())
        node.reload()
        await hall.failing("Authorization Violation")
        await hall.hall.serve("A002")
        write_secret(own, office.hall("leaver").read_bytes())
        await hall.delivered()


async def test_tls_is_verified_and_never_left_out(tmp_path: Path, office: BackOffice):
    certificate, key = self_signed(tmp_path, "localhost")
    (plain,) = office.cluster.nodes
    tls = f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}\n'
    node = NatsNode(
        tmp_path / "tls",
        "tls",
        NodePorts(),
        settings=office.credentials.server_settings() + tls,
    )
    await node.start()
    try:
        await until(lambda: (tmp_path / "tls" / "nats.log").exists(), "it starts")
        server = f"tls://localhost:{node.ports.client}"
        config = office.config("private", server, ca_file=certificate)
        (tmp_path / "one").mkdir()
        async with linked(tmp_path / "one", "private", config) as hall:
            await until(lambda: hall.link.servers.connected, "connected")
        (tmp_path / "two").mkdir()
        async with linked(tmp_path / "two", "private", office.config("private", server)) as hall:
            await hall.failing("certificate verify failed")
        (tmp_path / "three").mkdir()
        server = f"tls://localhost:{plain.ports.client}"
        config = office.config("private", server, ca_file=certificate)
        async with linked(tmp_path / "three", "private", config) as hall:
            await hall.failing("secure connection not available")
    finally:
        await node.stop()


async def test_it_ends_at_any_moment(tmp_path: Path, office: BackOffice):
    """nats-py may lose a cancellation; then the gateway would never end."""
    own = make_creds(tmp_path, office.credentials, "ending", hall_rights("ending"), exp=1)

    async def leave(_command: jetstream_connection.Arrived) -> None:
        """There is none."""

    for config in (office.config("ending", creds_file=own), office.config("ending")):
        for turns in range(60):
            running = asyncio.create_task(jetstream.JetStream("ending", config, leave).run())
            for _ in range(turns):
                await asyncio.sleep(0)
            running.cancel()
            done, _ = await asyncio.wait((running,), timeout=BUSY_S)
            assert done, f"cancelled after {turns} turns of the loop"
