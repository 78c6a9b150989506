"""A whole back office to measure or to break: three NATS servers, PostgreSQL, workers.

Here: starting all of it in one folder, the workers, and putting it back to empty. Not here: the
halls (gateways.py), what is done to it (hall_tools.bench.fleet, the tests), the trial that people
look at (`hall fleet up`).
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import nats
import psycopg
from hall_fleet.link import Link, LinkError
from hall_fleet.logins import EVENTS_CONSUMER, STATES_CONSUMER, inbox
from hall_fleet.streams import HAS_ALL, LEADS, copies
from hall_gateway import jetstream_subjects as subjects
from hall_gateway.jetstream_credentials import read_credentials
from nats.js import JetStreamContext

from hall_tools.errors import UserError
from hall_tools.fleet.credentials import Credentials
from hall_tools.fleet.nats_server import NatsCluster, NatsNode
from hall_tools.fleet.postgres import Postgres
from hall_tools.fleet.process import Process, last_words
from hall_tools.ports import free_port

CONSUMERS = (
    (subjects.EVENTS_STREAM, EVENTS_CONSUMER),
    (subjects.STATES_STREAM, STATES_CONSUMER),
)
READY_S = 60.0
_LOOK_S = 0.2
_READY = b"takes events"
_TABLES = "hall.events, hall.days, hall.seen, hall.halls, hall.poison, hall.workers, hall.stores"


class Stage:
    """`async with Stage(folder, halls) as stage:`; the halls have credentials then, the streams and
    tables are there, and no worker runs. `settings`: lines of postgresql.conf."""

    def __init__(self, folder: Path, halls: Sequence[str], settings: Sequence[str] = ()) -> None:
        self.folder = folder.absolute()
        self.halls = list(halls)
        self.postgres = Postgres(self.folder / "postgres", settings=settings)
        self.workers: list[Process] = []
        self._number = 0
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        credentials = Credentials(self.folder / "keys")
        credentials.add(self.halls)
        self.credentials = credentials
        settings = credentials.server_settings()
        self.cluster = NatsCluster(self.folder / "nats", settings=settings)
        try:
            await self._exit.enter_async_context(self.cluster)
            await self._exit.enter_async_context(self.postgres)
            await self._hall("ingest", "migrate", "--config", str(self._config(0)))
            await self._hall("ingest", "setup", "--config", str(self._config(0, "backoffice")))
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop_workers()
        await self._exit.aclose()

    @property
    def links(self) -> dict[str, Any]:
        """For the halls' LinkSettings."""
        creds = {hall: str(self.credentials.hall_creds(hall)) for hall in self.halls}
        return {"servers": self.cluster.servers, "creds": creds}

    @property
    def parts(self) -> Mapping[str, list[int]]:
        """The processes of each part, but for the gateways."""
        return {
            "nats": [node.process.pid for node in self.cluster.nodes if node.running],
            "workers": [worker.pid for worker in self.workers if worker.running],
            "postgres": [self.postgres.process.pid] if self.postgres.running else [],
        }

    async def start_workers(self, count: int, servers: Sequence[str] = ()) -> None:
        """So many more; `servers`: by which way they connect, when it is not the straight one."""
        for _ in range(count):
            self._number += 1
            config = self._config(self._number, servers=servers)
            worker = Process(
                f"worker {self._number}",
                [*_HALL, "ingest", "run", "--config", str(config)],
                self.folder / f"worker-{self._number}.log",
            )
            await worker.start()
            self.workers.append(worker)

    async def ready(self) -> None:
        """Every worker is connected. UserError when one ends, or takes too long."""
        deadline = time.monotonic() + READY_S
        while not all(_READY in worker.log.read_bytes() for worker in self.workers):
            self.check()
            if time.monotonic() > deadline:
                raise UserError(f"a worker is not ready after {READY_S:g} s", os.EX_UNAVAILABLE)
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """No event gets into the table inside: workers wait with their first batch, for up to
        30 s."""
        superuser = self.postgres.dsn("postgres")
        async with await psycopg.AsyncConnection.connect(superuser) as connection:
            await connection.execute("LOCK TABLE hall.events IN SHARE MODE")
            yield
            await connection.rollback()

    async def replace_workers(self) -> None:
        """New ones in the places of those that do not run."""
        gone = [worker for worker in self.workers if not worker.running]
        self.workers = [worker for worker in self.workers if worker.running]
        await self.start_workers(len(gone))

    async def stop_workers(self) -> None:
        """In order; they are forgotten."""
        await asyncio.gather(*(worker.stop() for worker in self.workers))
        self.workers = []

    def check(self) -> None:
        """UserError when a worker has ended by itself."""
        for worker in self.workers:
            if not worker.running:
                raise UserError(f"{worker.name} ended: {last_words(worker.log)}", os.EX_SOFTWARE)

    async def rows(self) -> int:
        """How many events the table has."""
        (count,) = await self.value("SELECT count(*) FROM hall.events")
        return int(count)

    async def value(self, query: str) -> tuple[Any, ...]:
        """The first row of a query, as the superuser. Raises psycopg.Error."""
        async with await psycopg.AsyncConnection.connect(
            self.postgres.dsn("postgres"), autocommit=True
        ) as connection:
            row = await (await connection.execute(query.encode())).fetchone()
            return row or ()

    async def run_sql(self, *statements: str) -> None:
        """As the superuser. Raises psycopg.Error."""
        async with await psycopg.AsyncConnection.connect(
            self.postgres.dsn("postgres"), autocommit=True
        ) as connection:
            for statement in statements:
                await connection.execute(statement.encode())

    async def empty(self, *, stream: bool) -> None:
        """Empty tables, and consumers that begin with the oldest message; `stream`: nothing is in
        the streams either. No worker may run."""
        await self.run_sql(f"TRUNCATE {_TABLES}", "CHECKPOINT")
        async with self._streams() as js:
            for name in (subjects.EVENTS_STREAM, subjects.STATES_STREAM):
                if stream:
                    await js.delete_stream(name)
                else:
                    for consumer in await js.consumers_info(name):
                        await js.delete_consumer(name, consumer.name)
        await self._hall("ingest", "setup", "--config", str(self._config(0, "backoffice")))

    async def stream_leader(self, stream: str) -> NatsNode | None:
        """Who takes what is published to the stream; None: nobody at present."""
        servers = (await self._copies()).get(stream, {})
        return next((self.cluster.node(n) for n, state in servers.items() if state == LEADS), None)

    async def amiss(self, within_s: float) -> list[NatsNode]:
        """Wait until every node is well and has had all of each stream and consumer once, for while
        much is written one or the other is always a little behind. Those of which that did not hold
        after so long; all of them when a stream or a consumer has no leader."""
        nodes = self.cluster.nodes
        names = {node.name for node in nodes}
        had: set[tuple[str, str]] = set()
        deadline = time.monotonic() + within_s
        while True:
            found = {node.name for node in nodes if not await node.healthy()}
            copies = await self._copies()
            for group, servers in copies.items():
                had |= {(group, n) for n, state in servers.items() if state in (LEADS, HAS_ALL)}
                found |= {name for name in names & servers.keys() if (group, name) not in had}
            if copies and not found:
                return []
            if time.monotonic() > deadline:
                return [node for node in nodes if node.name in found or not copies]
            await asyncio.sleep(_LOOK_S)

    async def _copies(self) -> dict[str, dict[str, str]]:
        """As hall_fleet.streams has them; nothing while one of them has no leader."""
        try:
            async with self.link() as link:
                return await copies(link)
        except LinkError:
            return {}

    def link(self) -> Link:
        """To any of the servers, as whoever runs the back office."""
        credentials = read_credentials(self.credentials.creds("backoffice"))
        return Link(self.cluster.servers, credentials, None, "backoffice")

    async def stream_bytes(self, stream: str) -> int:
        """What the messages of a stream take on each server."""
        async with self._streams() as js:
            return (await js.stream_info(stream)).state.bytes

    async def set_ack_wait(self, seconds: float) -> None:
        """After so long what a worker has not acknowledged is given to another."""
        async with self._streams() as js:
            for stream, consumer in CONSUMERS:
                config = (await js.consumer_info(stream, consumer)).config
                config.ack_wait = seconds
                await js.add_consumer(stream, config)  # pyright: ignore[reportUnknownMemberType]

    async def unacknowledged(self) -> int:
        """Events that workers have been given, and have not acknowledged."""
        async with self._streams() as js:
            stream, consumer = CONSUMERS[0]
            return (await js.consumer_info(stream, consumer)).num_ack_pending or 0

    @asynccontextmanager
    async def _streams(self) -> AsyncGenerator[JetStreamContext]:
        client = await nats.connect(  # pyright: ignore[reportUnknownMemberType]
            self.cluster.servers,
            user_credentials=str(self.credentials.creds("backoffice")),
            inbox_prefix=inbox("backoffice"),
        )
        try:
            yield client.jetstream()  # pyright: ignore[reportUnknownMemberType]
        finally:
            await client.close()

    def _config(self, number: int, role: str = "ingest", servers: Sequence[str] = ()) -> Path:
        """An ingest.toml of its own for each worker, for each has its port for /metrics."""
        addresses = ", ".join(f'"{server}"' for server in servers or self.cluster.servers)
        creds = self.credentials.creds("backoffice" if role == "backoffice" else "ingest")
        path = self.folder / f"ingest-{role}-{number}.toml"
        lines = [
            "[nats]",
            f"servers = [{addresses}]",
            f'creds_file = "{creds}"',
            "replicas = 3",
            "[postgres]",
            f'dsn = "{self.postgres.dsn("hall_ingest")}"',
            f'owner_dsn = "{self.postgres.dsn("hall_owner")}"',
            "[http]",
            'host = "127.0.0.1"',
            f"port = {free_port()}",
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    async def _hall(self, *arguments: str) -> None:
        """A command of `hall`; UserError with what it said when it failed."""
        process = await asyncio.create_subprocess_exec(
            *_HALL,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode:
            told = " ".join(said.decode(errors="replace").split())[-500:]
            raise UserError(f"hall {' '.join(arguments[:2])}: {told}", os.EX_SOFTWARE)


_HALL = (sys.executable, "-c", "from hall_tools.cli import main; main()")
