"""What a .creds file lets its owner do on a real nats-server: its own subjects, no others."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import nats
import pytest
import pytest_asyncio
from hall_fleet.logins import EVENTS_CONSUMER, MAX_PAYLOAD, MAX_SUBSCRIPTIONS, inbox
from hall_gateway import jetstream_subjects as subjects
from hall_tools.fleet.credentials import Credentials
from hall_tools.fleet.layout import Layout, Ports, Remembered
from hall_tools.fleet.nats_server import NatsCluster, NodePorts
from hall_tools.fleet.reload import reload
from hall_tools.ports import free_port
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig
from support.nats_flush import flushed

pytestmark = pytest.mark.asyncio(loop_scope="module")

HALLS = ("a", "b", "leaver", "returner")
BUSY_S = 30.0


class Login:
    """A connection, and what the server refused it."""

    nats: Client

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.ended = asyncio.Event()
        self._noted = asyncio.Event()

    async def note(self, error: Exception) -> None:
        self.refused.append(str(error).lower())
        self._noted.set()

    async def refusals(self, count: int) -> list[str]:
        """What was refused, once that is so often."""
        async with asyncio.timeout(BUSY_S):
            while len(self.refused) < count:
                self._noted.clear()
                await self._noted.wait()
        return self.refused

    async def gone(self) -> None:
        self.ended.set()

    async def publish(self, subject: str, content: bytes = b"{}") -> None:
        await self.nats.publish(subject, content)
        await flushed(self.nats)

    async def read(self, subject: str) -> None:
        await self.nats.subscribe(subject)
        await flushed(self.nats)


@dataclass
class Office:
    layout: Layout
    credentials: Credentials
    cluster: NatsCluster
    ports: Ports
    logins: list[Login] = field(default_factory=list)

    async def login(self, creds: Path, inbox_prefix: str) -> Login:
        login = Login()
        login.nats = await nats.connect(
            self.cluster.servers,
            user_credentials=str(creds),
            inbox_prefix=inbox_prefix.encode(),
            error_cb=login.note,
            disconnected_cb=login.gone,
            allow_reconnect=False,
        )
        self.logins.append(login)
        return login

    async def hall(self, hall: str) -> Login:
        return await self.login(self.credentials.hall_creds(hall), subjects.inbox(hall))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    layout = Layout(tmp_path_factory.mktemp("office"))
    credentials = Credentials(layout.keys)
    credentials.add(HALLS)
    layout.write_accounts(credentials)
    place = NodePorts()
    node = (place.client, place.route, place.monitor)
    ports = Ports(nodes=(node, node, node), workers=(free_port(), free_port()), console=free_port())
    settings = "include ../accounts.conf\n"
    async with NatsCluster(layout.nats, 1, ports=[place], settings=settings) as cluster:
        layout.remember(Remembered(servers=cluster.servers, ports=ports))
        office = Office(layout, credentials, cluster, ports)
        backoffice = await office.login(credentials.creds("backoffice"), inbox("backoffice"))
        streams = backoffice.nats.jetstream()
        await streams.add_stream(name=subjects.EVENTS_STREAM, subjects=[subjects.EVENTS])
        await streams.add_stream(name=subjects.STATES_STREAM, subjects=[subjects.STATES])
        await streams.add_consumer(
            subjects.EVENTS_STREAM,
            ConsumerConfig(durable_name=EVENTS_CONSUMER, ack_policy=AckPolicy.EXPLICIT),
        )
        yield office
        for login in office.logins:
            await login.nats.close()


async def test_a_hall_sends_its_events_and_state_and_takes_its_commands(office: Office) -> None:
    hall = await office.hall("a")
    streams = hall.nats.jetstream()
    event = await streams.publish(subjects.event("a", "rating", "given"), b"{}")
    state = await streams.publish(subjects.state("a"), b"{}")
    assert (event.stream, state.stream) == (subjects.EVENTS_STREAM, subjects.STATES_STREAM)
    commands = await hall.nats.subscribe(subjects.command("a", "*"))
    await flushed(hall.nats)
    backoffice = office.logins[0]
    answers = await backoffice.nats.subscribe(subjects.reply("a", "1"))
    await flushed(backoffice.nats)
    await backoffice.publish(subjects.command("a", "call"), b'{"id":"1"}')
    assert (await commands.next_msg(BUSY_S)).data == b'{"id":"1"}'
    await hall.publish(subjects.reply("a", "1"), b'{"ok":true}')
    assert (await answers.next_msg(BUSY_S)).data == b'{"ok":true}'
    assert hall.refused == []


@pytest.mark.parametrize(
    "subject",
    [
        subjects.event("b", "rating", "given"),
        subjects.state("b"),
        subjects.reply("b", "1"),
        subjects.command("b", "call"),
        subjects.command("a", "call"),
        "hall.v1.a",
        "_INBOX.b.answer",
        "$JS.API.STREAM.CREATE.MINE",
        "$JS.API.STREAM.INFO.HALL_EVENTS",
        "$JS.API.STREAM.NAMES",
        "$JS.API.STREAM.MSG.GET.HALL_EVENTS",
        "$JS.API.DIRECT.GET.HALL_EVENTS",
        "$JS.API.STREAM.PURGE.HALL_EVENTS",
        "$JS.API.STREAM.DELETE.HALL_EVENTS",
        "$JS.API.CONSUMER.CREATE.HALL_EVENTS",
        "$JS.API.CONSUMER.DURABLE.CREATE.HALL_EVENTS.mine",
        "$JS.API.CONSUMER.MSG.NEXT.HALL_EVENTS.ingest",
        "$JS.ACK.HALL_EVENTS.ingest.1.1.1.1.0",
        "$SYS.REQ.SERVER.PING",
    ],
)
async def test_a_hall_cannot_publish(office: Office, subject: str) -> None:
    hall = await office.hall("a")
    await hall.publish(subject)
    assert await hall.refusals(1) == [
        f'nats: permissions violation for publish to "{subject.lower()}"'
    ]


@pytest.mark.parametrize(
    "subject",
    [
        ">",
        "hall.>",
        "hall.v1.*.command.*",
        subjects.command("b", "*"),
        subjects.event("a", "*", "*"),
        subjects.EVENTS,
        subjects.STATES,
        "hall.v1.*.reply.*",
        "_INBOX.>",
        "_INBOX.b.>",
        f"{inbox('backoffice')}.>",
        f"{inbox('ingest')}.>",
        "$JS.>",
        "$SYS.>",
    ],
)
async def test_a_hall_cannot_read(office: Office, subject: str) -> None:
    hall = await office.hall("a")
    await hall.read(subject)
    assert await hall.refusals(1) == [
        f'nats: permissions violation for subscription to "{subject.lower()}"'
    ]


async def test_a_hall_has_few_subscriptions_and_short_messages(office: Office) -> None:
    hall = await office.hall("a")
    for number in range(MAX_SUBSCRIPTIONS):
        await hall.read(f"hall.v1.a.command.c{number}")
    await hall.nats.subscribe("hall.v1.a.command.more")
    await asyncio.wait_for(hall.ended.wait(), BUSY_S)
    assert str(hall.nats.last_error) == "nats: maximum subscriptions exceeded"
    talker = await office.hall("a")
    await talker.nats.publish(subjects.event("a", "rating", "given"), b" " * (MAX_PAYLOAD + 1))
    await asyncio.wait_for(talker.ended.wait(), BUSY_S)
    assert str(talker.nats.last_error) == "nats: maximum payload violation"


async def test_a_hall_called_as_a_login_of_the_back_office_is_only_a_hall(office: Office) -> None:
    office.credentials.add(["ingest"])
    hall = await office.hall("ingest")
    await hall.read(f"{inbox('ingest')}.>")
    await hall.publish(f"$JS.API.CONSUMER.MSG.NEXT.{subjects.EVENTS_STREAM}.{EVENTS_CONSUMER}")
    assert len(await hall.refusals(2)) == 2


async def test_a_worker_takes_what_its_consumer_gives_and_nothing_else(office: Office) -> None:
    worker = await office.login(office.credentials.creds("ingest"), inbox("ingest"))
    streams = worker.nats.jetstream()
    await (await office.hall("b")).nats.jetstream().publish("hall.v1.b.event.count.passage", b"7")
    bound = await streams.pull_subscribe_bind(EVENTS_CONSUMER, subjects.EVENTS_STREAM)
    [message, *_] = await bound.fetch(10, timeout=BUSY_S)
    await message.ack_sync()
    await streams.consumer_info(subjects.EVENTS_STREAM, EVENTS_CONSUMER)
    assert worker.refused == []
    for subject in (
        subjects.event("a", "rating", "given"),
        subjects.command("a", "call"),
        "$JS.API.STREAM.DELETE.HALL_EVENTS",
        "$JS.API.CONSUMER.DELETE.HALL_EVENTS.ingest",
        "$JS.API.CONSUMER.DURABLE.CREATE.HALL_EVENTS.mine",
    ):
        await worker.publish(subject)
    await worker.read("hall.>")
    assert len(await worker.refusals(6)) == 6


async def test_the_console_only_looks(office: Office) -> None:
    console = await office.login(office.credentials.creds("console"), inbox("console"))
    info = await console.nats.jetstream().stream_info(subjects.EVENTS_STREAM)
    assert info.config.name == subjects.EVENTS_STREAM
    for subject in (subjects.command("a", "call"), "$JS.API.STREAM.MSG.GET.HALL_EVENTS"):
        await console.publish(subject)
    await console.read(subjects.EVENTS)
    assert len(await console.refusals(3)) == 3


async def test_who_has_no_key_or_anothers_is_not_let_in(office: Office, tmp_path: Path) -> None:
    others = Credentials(tmp_path / "keys")
    others.add(["a"])
    for options in ({}, {"user_credentials": str(others.hall_creds("a"))}):
        refused: list[str] = []

        async def note(error: Exception, refused: list[str] = refused) -> None:
            refused.append(str(error).lower())

        with pytest.raises(nats.errors.Error):
            await nats.connect(
                office.cluster.servers, allow_reconnect=False, error_cb=note, **options
            )
        assert any("authorization violation" in text for text in refused), refused


async def test_a_revoked_hall_is_cut_off_and_the_others_stay(office: Office) -> None:
    other, leaver = await office.hall("b"), await office.hall("leaver")
    creds = office.credentials.hall_creds("leaver").read_bytes()
    office.credentials.revoke(["leaver"])
    office.layout.write_accounts(office.credentials)
    assert await reload(office.layout, office.ports) == 1
    await asyncio.wait_for(leaver.ended.wait(), BUSY_S)
    kept = office.layout.folder / "kept.creds"
    kept.write_bytes(creds)
    with pytest.raises(nats.errors.Error):
        await office.login(kept, subjects.inbox("leaver"))
    await other.publish(subjects.state("b"))
    assert other.refused == []
    assert not other.ended.is_set()


async def test_a_hall_with_a_new_key_is_let_in_and_its_old_key_is_not(office: Office) -> None:
    before = await office.hall("returner")
    old = office.layout.folder / "old.creds"
    old.write_bytes(office.credentials.hall_creds("returner").read_bytes())
    office.credentials.add(["returner"], again=True)
    office.layout.write_accounts(office.credentials)
    assert await reload(office.layout, office.ports) == 1
    await asyncio.wait_for(before.ended.wait(), BUSY_S)
    with pytest.raises(nats.errors.Error):
        await office.login(old, subjects.inbox("returner"))
    again = await office.hall("returner")
    await again.publish(subjects.state("returner"))
    assert again.refused == []
