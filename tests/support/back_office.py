"""A back office's NATS server for tests, with streams as a test wants them, and halls at it.

Here: a real nats-server of one node with credentials as in production, its operator's view, and a
gateway's core with the sink. Not here: what a test is about.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import nats
import pytest
from hall_fleet.logins import inbox
from hall_gateway import jetstream, jetstream_events, jetstream_link
from hall_gateway import jetstream_subjects as subjects
from hall_gateway.config_jetstream import SINK, JetStreamConfig
from hall_gateway.health import Health
from hall_gateway.jetstream_link import JetStreamLink
from hall_gateway.store_sinks import SinkPlan
from hall_tools.fleet.credentials import Credentials
from hall_tools.fleet.nats_server import NatsCluster
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from support.core_hall import PLAN, Clock, Hall, open_hall
from support.nats_flush import flushed

BUSY_S = 40.0
"""For what takes ms on a quiet machine."""
STREAMS: dict[str, dict[str, Any]] = {
    subjects.EVENTS_STREAM: {"subjects": [subjects.EVENTS], "discard": "new"},
    subjects.STATES_STREAM: {"subjects": [subjects.STATES], "max_msgs_per_subject": 1},
}


async def until(holds: Callable[[], bool], what: str | Callable[[], str]) -> None:
    """Wait until `holds()`, which nothing tells of; `what` says what does not hold."""
    try:
        async with asyncio.timeout(BUSY_S):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        told = what if isinstance(what, str) else what()
        raise AssertionError(f"not in {BUSY_S:.0f} s: {told}") from None


class BackOffice:
    """`nats` and `streams` are logged in as whoever runs it."""

    nats: Client
    streams: JetStreamContext

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.credentials = Credentials(folder / "keys")
        self.cluster = NatsCluster(folder / "nats", 1, settings=self.credentials.server_settings())

    async def login(self) -> None:
        self.nats = await nats.connect(  # pyright: ignore[reportUnknownMemberType]
            self.cluster.servers,
            user_credentials=str(self.credentials.creds("backoffice")),
            inbox_prefix=inbox("backoffice").encode(),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,  # pyright: ignore[reportArgumentType]
        )
        self.streams = self.nats.jetstream()  # pyright: ignore[reportUnknownMemberType]

    async def make(self, stream: str, **limits: Any) -> None:
        """Have the stream, empty, and with these limits beside its own."""
        await self.drop(stream)
        await self.streams.add_stream(  # pyright: ignore[reportUnknownMemberType]
            name=stream, **{**STREAMS[stream], **limits}
        )

    async def drop(self, stream: str) -> None:
        try:
            await self.streams.delete_stream(stream)
        except NotFoundError:
            return

    async def stored(self, hall: str, count: int) -> list[Msg]:
        """The hall's first `count` messages in the stream of events, and that there are no more."""
        wanted = subjects.event(hall, "*", "*")
        reader: Any = await self.streams.subscribe(  # pyright: ignore[reportUnknownMemberType]
            wanted, stream=subjects.EVENTS_STREAM, ordered_consumer=True
        )
        found = [await reader.next_msg(BUSY_S) for _ in range(count)]
        await reader.unsubscribe()
        told = await self.streams.stream_info(subjects.EVENTS_STREAM, subjects_filter=wanted)
        in_all = sum((told.state.subjects or {}).values())
        assert in_all == count, f"{in_all} messages of {hall}"
        return found

    async def listen(self, subject: str) -> Any:
        """A subscription to read from with next_msg()."""
        listening = await self.nats.subscribe(subject)  # pyright: ignore[reportUnknownMemberType]
        await flushed(self.nats)
        return listening

    def hall(self, hall: str) -> Path:
        """The .creds file of a hall, which gets one when it has none."""
        if not (path := self.credentials.hall_creds(hall)).exists():
            self.credentials.add([hall])
        return path

    def config(self, hall: str, *servers: str, **more: Any) -> JetStreamConfig:
        """A hall's [jetstream] table."""
        ways = servers or tuple(self.cluster.servers)
        table = {"servers": ways, "creds_file": self.hall(hall), **more}
        return JetStreamConfig.model_validate(table)


class Linked:
    """A hall with the sink: its core, and how the sink is."""

    def __init__(self, hall: Hall, link: JetStreamLink) -> None:
        self.hall = hall
        self.core = hall.core
        self.link = link

    @property
    def sink(self) -> dict[str, Any]:
        sinks: Any = self.core.health()["sinks"]
        return sinks[SINK]

    async def ids(self) -> list[str]:
        """Of all events so far, in order."""
        return [json.loads(row.body)["id"] for row in await self.hall.rows()]

    async def delivered(self) -> None:
        """Every event was taken, and the store knows it."""
        await until(lambda: self.sink["waiting"] == 0, lambda: f"all events taken: {self.sink}")

    async def failing(self, why: str) -> None:
        await until(lambda: why in (self.sink["error"] or ""), f"{why}: {self.sink}")


@asynccontextmanager
async def open_office(folder: Path) -> AsyncGenerator[BackOffice]:
    """With both streams."""
    office = BackOffice(folder)
    async with office.cluster:
        await office.login()
        try:
            for stream in STREAMS:
                await office.make(stream)
            yield office
        finally:
            await office.nats.close()


@asynccontextmanager
async def linked(
    folder: Path, hall: str, config: JetStreamConfig, clock: Clock | None = None
) -> AsyncGenerator[Linked]:
    """A hall whose gateway runs the sink, which ends as it does at a crash."""
    plan = replace(PLAN, hall=hall)
    async with open_hall(folder, clock, plan) as opened:
        sinks = {SINK: SinkPlan(from_oldest=True), "hall": SinkPlan(from_oldest=True)}
        await opened.core.do(lambda heart, now: heart.sinks.declare(sinks, now))
        link = JetStreamLink(plan, config, opened.core, lambda: Health("ok", ()), "B")
        running = asyncio.create_task(link.run())
        try:
            yield Linked(opened, link)
        finally:
            assert not running.done(), running
            running.cancel()
            await asyncio.wait((running,))


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the next try waits less."""

    def soon(_attempt: int) -> float:
        return 0.05

    for module in (jetstream, jetstream_events):
        monkeypatch.setattr(module, "retry_delay", soon)
    monkeypatch.setattr(jetstream_link, "STATE_CHANGED_S", 0.2)
    monkeypatch.setattr(jetstream_link, "TROUBLE_S", 0.05)
