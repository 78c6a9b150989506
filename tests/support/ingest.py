"""A small back office for tests of its workers: a NATS server, PostgreSQL, workers in this process.

Here: making it, and waiting for what it does. Not here: a whole one that is broken
(hall_tools.fleet.stage), the gateways' side of NATS (support.back_office).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hall_fleet import streams
from hall_fleet.batch import Message
from hall_fleet.ingest import Worker
from hall_fleet.ingest_config import load_config
from hall_fleet.link import Link
from hall_tools.fleet.credentials import Credentials
from hall_tools.fleet.nats_server import NatsCluster
from hall_tools.fleet.postgres import Postgres
from hall_tools.ports import free_port

from support.office import office_folder
from support.record import Database, Databases

BUSY_S = 60.0
"""For what takes a second on a quiet machine."""


class Office:
    """`halls` have credentials."""

    def __init__(self, folder: Path, halls: Sequence[str]) -> None:
        self.folder = folder
        self.credentials = Credentials(folder / "keys")
        self.credentials.add(list(halls))
        settings = self.credentials.server_settings()
        self.cluster = NatsCluster(folder / "nats", 1, settings=settings)
        self.postgres = Postgres(folder / "postgres")
        self.http = free_port()

    async def make(self) -> None:
        self.database: Database = await Databases(self.postgres).make()

    def config(self, role: Any = "ingest", database: Database | None = None, **nats: Any) -> Path:
        database = database or self.database
        path = self.folder / f"{role}-{database.name}.toml"
        more = "\n".join(f"{name} = {value}" for name, value in {"replicas": 1, **nats}.items())
        path.write_text(
            f"[nats]\nservers = {json.dumps(self.cluster.servers)}\n"
            f'creds_file = "{self.credentials.creds(role)}"\n{more}\n'
            f'[postgres]\ndsn = "{database.dsn("hall_ingest")}"\n'
            f'owner_dsn = "{database.dsn("hall_owner")}"\n'
            f"[http]\nport = {self.http}\n",
            encoding="utf-8",
        )
        return path

    @asynccontextmanager
    async def link(self) -> AsyncGenerator[Link]:
        """As whoever runs the back office."""
        nats = load_config(self.config("backoffice")).nats
        async with Link(nats.servers, nats.credentials(), nats.tls(), "backoffice") as link:
            yield link

    async def publish(self, *messages: Message) -> None:
        async with self.link() as link:
            for each in messages:
                await link.client.publish(each.subject, each.body, headers=dict(each.headers))
            await link.flush()

    async def consumer(self) -> dict[str, Any]:
        async with self.link() as link:
            return await link.ask("CONSUMER.INFO.HALL_EVENTS.ingest")

    @asynccontextmanager
    async def worker(self) -> AsyncGenerator[Worker]:
        """In this process."""
        worker, stop, ready = Worker(load_config(self.config())), asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(worker.run(stop, ready.set))
        try:
            async with asyncio.timeout(BUSY_S):
                await ready.wait()
            yield worker
        finally:
            stop.set()
            await running

    def clear(self) -> None:
        self.database.empty()


@asynccontextmanager
async def open_office(halls: Sequence[str]) -> AsyncGenerator[Office]:
    """All of it runs inside, but for workers."""
    with office_folder() as folder:
        office = Office(folder, halls)
        async with office.cluster, office.postgres:
            await office.make()
            async with office.link() as link:
                await streams.setup(link, load_config(office.config("backoffice")).nats)
            yield office


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(BUSY_S):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def rows(office: Office, table: str, count: int) -> None:
    """Wait for so many."""

    async def there() -> bool:
        return office.database.rows(f"SELECT count(*) FROM hall.{table}") == [(count,)]

    await until(there)
