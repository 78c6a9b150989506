"""PostgreSQL on this machine, for a trial or a test: a server of its own in one folder.

Here: starting, stopping and killing it, its roles, and how to connect. Not here: its files
(postgres_folder.py), tables (hall_fleet.migrations), and the settings of a server in production
(production.py).

It listens on a socket in the file system only. Who may come in is told by the operating system
(`peer`, https://www.postgresql.org/docs/15/auth-peer.html): the user who runs this, as any role, so
there are no passwords. PostgreSQL does not run as root: then it runs as Debian's `postgres`.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psycopg
from hall_fleet import roles
from psycopg import sql
from psycopg.conninfo import make_conninfo

from hall_tools.errors import UserError
from hall_tools.fleet.postgres_folder import PORT, PostgresFolder, Role
from hall_tools.fleet.process import Process, last_words

READY_S = 60.0
"""Recovery after a kill takes one to three seconds here."""

DATABASE = "hall"
_LOOK_S = 0.05


class Postgres:
    """`async with Postgres(folder) as postgres:`: it serves inside, and is gone outside.

    Its files stay in `folder`, which is made at the first start. `durable=False` is for tests of
    something else: it does not wait for the disk. `settings` are lines of postgresql.conf; `held`
    is as a Process has it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        settings: Sequence[str] = (),
        held: int | None = None,
    ) -> None:
        self._files = PostgresFolder(folder, durable, settings)
        self._process = Process(
            "PostgreSQL",
            [str(self._files.programs / "postgres"), "-D", str(self._files.data)],
            self._files.folder / "postgres.log",
            user=self._files.user,
            ending=signal.SIGINT,  # ends connections, and then in order
            stop_s=60.0,
            held=held,
        )

    @property
    def process(self) -> Process:
        return self._process

    @property
    def running(self) -> bool:
        return self._process.running

    def dsn(self, role: Role, database: str = DATABASE) -> str:
        """How to connect as `role`, for psycopg, psql and libpq; nothing in it is secret.
        `postgres` is the superuser."""
        return make_conninfo(host=str(self._files.socket()), port=PORT, dbname=database, user=role)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Make it when it is not there, start it; returns when it answers. UserError."""
        await self._files.make()
        self._files.configure()
        try:
            await self._process.start()
            await self.ready()
            await self._make_roles()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it in order; nothing when it does not run."""
        await self._process.stop()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def kill(self) -> None:
        """End all of it at once (SIGKILL), as a crash of the machine would."""
        if not self.running:
            return
        children = _children(self._process.pid)
        await self._process.kill()
        for child in children:
            # They notice that the server is gone, and end by themselves, but later.
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    async def ready(self, within_s: float = READY_S) -> None:
        """Wait until it answers; UserError when it ends by itself, or after `within_s`."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    with suppress(psycopg.OperationalError):
                        await (await self._superuser()).close()
                        return
                    if not self.running:
                        raise UserError(
                            f"PostgreSQL ended: {last_words(self._process.log)}", os.EX_UNAVAILABLE
                        )
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            said = last_words(self._process.log)
            raise UserError(
                f"PostgreSQL does not answer after {within_s:.0f} s: {said}",
                os.EX_UNAVAILABLE,
            ) from None

    async def create_database(self, name: str) -> None:
        """Another empty one that hall_owner owns, for a test that wants its own."""
        async with await self._superuser() as connection:
            await connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER hall_owner TEMPLATE template0").format(
                    sql.Identifier(name)
                )
            )

    async def _superuser(self) -> psycopg.AsyncConnection:
        dsn = self.dsn("postgres", "postgres")
        return await psycopg.AsyncConnection.connect(dsn, autocommit=True, connect_timeout=5)

    async def _make_roles(self) -> None:
        async with await self._superuser() as connection:
            found = await connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
            )
            there = await found.fetchone() is not None
            for statement in roles.statements(DATABASE):
                if there and statement.startswith("CREATE"):
                    continue
                # An interrupted first start has made some of the roles.
                with suppress(psycopg.errors.DuplicateObject):
                    await connection.execute(statement.encode())


def _children(pid: int) -> list[int]:
    try:
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
