"""Commands of the back office over a real nats-server: sent until there is a reply."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import nats
import pytest
import pytest_asyncio
from hall_fleet.link import Link
from hall_fleet.sender import NoReplyError, send_command
from hall_gateway import jetstream_subjects as subjects
from hall_gateway.jetstream_credentials import read_credentials
from hall_tools.fleet.credentials import Credentials
from hall_tools.fleet.nats_server import NatsCluster
from nats.aio.client import Client
from nats.aio.msg import Msg
from support.nats_flush import flushed

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = {"id": "c.1", "window": "3"}
AGAIN_S = 0.05
BUSY_S = 60.0


class Office:
    """A server with one hall, `a`, that hears its commands."""

    def __init__(self, folder: Path) -> None:
        self.keys = Credentials(folder / "keys")
        self.keys.add(["a"])
        self.cluster = NatsCluster(folder / "nats", 1, settings=self.keys.server_settings())
        self.heard: list[Msg] = []
        self.replies: list[bytes] = []
        self.asked = asyncio.Event()
        self.hall: Client

    async def open(self) -> None:
        self.hall = await nats.connect(
            self.cluster.servers,
            user_credentials=str(self.keys.hall_creds("a")),
            inbox_prefix=subjects.inbox("a").encode(),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.05,
            error_cb=self._complained,
        )
        await self.hall.subscribe(subjects.command("a", "*"), cb=self._take)
        await flushed(self.hall)

    async def _take(self, message: Msg) -> None:
        """The n-th time it is heard it gets the n-th of `replies`, nothing when that is empty."""
        self.heard.append(message)
        self.asked.set()
        reply = self.replies.pop(0) if self.replies else b""
        if reply:
            await self.hall.publish(subjects.reply("a", str(BODY["id"])), reply)

    async def _complained(self, error: Exception) -> None:
        """That the server was stopped is meant."""

    def link(self) -> Link:
        who = read_credentials(self.keys.creds("backoffice"))
        return Link(self.cluster.servers, who, None, "backoffice")

    async def send(self, ttl_s: float = BUSY_S, hall: str = "a") -> Mapping[str, object]:
        return await send_command(self.link, hall, "call", BODY, ttl_s, AGAIN_S)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    office = Office(tmp_path_factory.mktemp("office"))
    async with office.cluster:
        await office.open()
        yield office
        await office.hall.close()


@pytest.fixture
def office(served: Office) -> Office:
    served.heard.clear()
    served.replies.clear()
    served.asked.clear()
    return served


def reply(ok: bool = True, id: str = "c.1") -> bytes:
    return json.dumps({"id": id, "ok": ok}).encode()


async def test_a_command_says_until_when_it_may_be_done(office: Office) -> None:
    office.replies = [reply()]
    before = time.time()
    assert await office.send() == {"id": "c.1", "ok": True}
    [heard] = office.heard
    assert json.loads(heard.data) == BODY
    assert heard.headers is not None
    until_s = int(heard.headers[subjects.EXPIRES_HEADER]) / 1000
    assert before + BUSY_S - 1 <= until_s <= time.time() + BUSY_S


async def test_it_is_sent_again_the_same_until_there_is_a_reply_to_it(office: Office) -> None:
    office.replies = [b"", b"no json", b"[]", reply(id="another"), b'{"id":"c.1"}', reply(ok=False)]
    assert await office.send() == {"id": "c.1", "ok": False}
    assert len({heard.data for heard in office.heard}) == 1
    assert len({str(heard.headers) for heard in office.heard}) == 1


async def test_without_a_reply_nothing_is_known(office: Office) -> None:
    with pytest.raises(NoReplyError, match=r"^b: no reply in 0\.3 s: .* is its gateway connected"):
        await office.send(0.3, hall="b")
    assert office.heard == []


async def test_it_goes_on_over_another_connection(office: Office) -> None:
    """The server is stopped when it has given the command out, and comes back."""
    asked = asyncio.create_task(office.send())
    async with asyncio.timeout(BUSY_S):
        await office.asked.wait()
        await office.cluster.stop()
        office.replies = [reply()] * 3
        await office.cluster.start()
        assert await asked == {"id": "c.1", "ok": True}


async def test_without_a_server_that_is_said(tmp_path: Path, office: Office) -> None:
    who = read_credentials(office.keys.creds("backoffice"))
    nobody = NatsCluster(tmp_path, 1).servers
    with pytest.raises(NoReplyError, match="no connection to the servers: nats://"):
        await send_command(
            lambda: Link(nobody, who, None, "backoffice"), "a", "call", BODY, 1.0, AGAIN_S
        )
