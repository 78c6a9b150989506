"""A whole back office on this machine: its servers, workers, console, and simulated halls.

Here: which parts there are, in which order they start and stop. Not here: their settings
(trial_files.py), keeping one running (part.py), options and output (commands/fleet_up.py).
"""

import asyncio
import fcntl
import os
import secrets
import sys
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any, Self

from hall_tools.errors import UserError
from hall_tools.fleet.credentials import Credentials
from hall_tools.fleet.layout import ACCOUNTS, Layout, Ports
from hall_tools.fleet.nats_server import NatsCluster, NodePorts
from hall_tools.fleet.part import Part, Say, hall_command, listening, run_once, saying
from hall_tools.fleet.places import hall_id
from hall_tools.fleet.postgres import Postgres
from hall_tools.fleet.process import Process
from hall_tools.fleet.trial_files import Settings, ports_of, write_settings

USER = "admin"
_ORPHANS_S = 60.0
"""Parts of a run that was killed end by themselves; PostgreSQL takes the longest."""
_LOOK_S = 0.1
_HALLS_STOP_S = 120.0
"""The halls deliver what they have first."""


class Trial:
    """`async with Trial(folder, halls=20, say=print) as trial:`: it runs inside, and no process is
    left outside. `say` gets what happens, in a line each.

    Of a folder that has been used, everything goes on: keys, record, and, if they are free, ports.
    """

    ports: Ports
    postgres: Postgres
    nats: NatsCluster
    password: str | None
    """The console's, when it was made now: it is nowhere else."""

    def __init__(self, folder: Path, halls: int, seed: int, say: Say) -> None:
        self.layout = Layout(folder)
        self.halls: Part | None = None
        self.numbers: list[int] = []
        self._wanted = halls
        self._seed = seed
        self._say = say
        self._parts: list[Part] = []
        self._lock = -1

    @property
    def truth(self) -> Path:
        """Where the simulated halls write what is true, when they are stopped."""
        return self.layout.folder / "halls" / "truth.json"

    async def __aenter__(self) -> Self:
        self._make_folder()
        self._lock = await _locked(self.layout.folder / "lock", self._say)
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def stop_halls(self) -> None:
        """Close the simulated halls: they deliver what they have, and write the truth."""
        if self.halls is not None:
            await self.halls.stop()

    def _make_folder(self) -> None:
        folder = self.layout.folder
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        elif os.geteuid() == 0 and folder.stat().st_uid == 0:
            # PostgreSQL's own user passes through it.
            folder.chmod(folder.stat().st_mode | 0o011)

    async def _start(self) -> None:
        self.ports = ports_of(self.layout, self._say)
        credentials = Credentials(self.layout.keys)
        self._enrol(credentials)
        self.layout.write_accounts(credentials)
        await self._start_servers()
        settings = write_settings(self.layout, self.ports, self.postgres, self.numbers, self._seed)
        await self._prepare(settings)
        await self._start_programs(settings)

    def _enrol(self, credentials: Credentials) -> None:
        """Simulated halls that were revoked stay so."""
        logins = credentials.halls()
        active = {login.hall for login in logins if login.revoked is None}
        revoked = {login.hall for login in logins} - active
        wanted = range(1, self._wanted + 1)
        self.numbers = [number for number in wanted if hall_id(number) not in revoked]
        credentials.add([hall_id(n) for n in self.numbers if hall_id(n) not in active])

    async def _start_servers(self) -> None:
        layout, held = self.layout, self._lock
        self.nats = NatsCluster(
            layout.nats,
            ports=[NodePorts(*ports) for ports in self.ports.nodes],
            settings=f"include ../{ACCOUNTS}\n",
            held=held,
        )
        self.postgres = Postgres(layout.postgres, held=held)
        self._say("starting three nats-servers and PostgreSQL")
        for node in self.nats.nodes:
            await self._run(Part(node.process, node.start))
        await self.nats.ready()
        await self._run(Part(self.postgres.process, self.postgres.start))

    async def _prepare(self, settings: Settings) -> None:
        self._say("making streams and tables")
        works = [self._ingest(work, settings.setup) for work in ("migrate", "setup")]
        self.password = None
        if not (self.layout.folder / "users.json").exists():
            self.password = secrets.token_urlsafe(12)
            works.append(self._add_user(settings.console, self.password))
        await _all(works)

    async def _ingest(self, work: str, config: Path) -> None:
        command = hall_command("ingest", work, "--config", str(config))
        log = self.layout.folder / f"{work}.log"
        await run_once(f"hall ingest {work}", command, log, self._lock)

    async def _add_user(self, config: Path, password: str) -> None:
        command = hall_command("fleet", "user", "add", USER, "--role", "manager")
        process = await asyncio.create_subprocess_exec(
            *(*command, "--config", str(config)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate(f"{password}\n".encode())
        if process.returncode:
            raise UserError(f"hall fleet user add: {said.decode().strip()}", os.EX_UNAVAILABLE)

    async def _start_programs(self, settings: Settings) -> None:
        self._say("starting two ingest workers and the console")
        folder, held = self.layout.folder, self._lock

        def program(name: str, log: str, port: int, *arguments: str) -> Part:
            process = Process(name, hall_command(*arguments), folder / log, held=held)
            return listening(process, port)

        parts = [
            program(
                *(
                    f"ingest worker {number}",
                    f"ingest-{number}.log",
                    self.ports.workers[number - 1],
                ),
                *("ingest", "run", "--config", str(settings.workers[number - 1])),
            )
            for number in (1, 2)
        ]
        parts.append(
            program(
                *("fleet console", "console.log", self.ports.console),
                *("fleet", "console", "--config", str(settings.console)),
            )
        )
        await _all(self._run(part) for part in parts)
        if self.numbers:
            self._say(f"starting {len(self.numbers)} simulated halls")
            self.truth.unlink(missing_ok=True)
            self.halls = _halls(settings.halls, folder / "halls.log", held)
            await self._run(self.halls)

    async def _run(self, part: Part) -> None:
        self._parts.append(part)
        await part.start(self._say)

    async def _stop(self) -> None:
        """Who sends goes before who takes."""
        for part in self._parts:
            await part.let_go()
        for part in reversed(self._parts):
            await part.stop()
        os.close(self._lock)


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All at the same time; when one fails the others are given up, and its error is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _halls(spec: Path, log: Path, held: int) -> Part:
    command = [sys.executable, "-P", "-m", "hall_tools.fleet.simulated", str(spec)]
    return saying(
        Process("simulated halls", command, log, stop_s=_HALLS_STOP_S, held=held), "running"
    )


async def _locked(path: Path, say: Say) -> int:
    """The file, open and locked. Every part of a trial has it open, too, so it is free only when
    the last of them has ended; UserError when that takes too long."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _lock(descriptor):
            owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            if _exists(owner):
                raise UserError(
                    f"{path.parent}: hall fleet up runs here already (process {owner})",
                    os.EX_TEMPFAIL,
                )
            say("waiting until the parts of a run before this one have ended")
            await _wait_for(descriptor, path)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


async def _wait_for(descriptor: int, path: Path) -> None:
    try:
        async with asyncio.timeout(_ORPHANS_S):
            while True:
                if _lock(descriptor):
                    return
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise UserError(
            f"{path.parent}: parts of a run before this one still run; sudo fuser -v {path} shows "
            "them",
            os.EX_TEMPFAIL,
        ) from None


def _exists(process: str) -> bool:
    return Path("/proc", process).exists() if process else False


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
