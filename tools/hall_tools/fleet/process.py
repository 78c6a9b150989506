"""A server of the back office as a process of ours.

Here: starting it, its log, stopping it, and that it never outlives whoever started it. Not here:
its settings and when it is ready (nats_server.py, postgres.py).
"""

import asyncio
import os
import pwd
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hall_tools.errors import UserError


def program(name: str, package: str, also: str = "/usr/sbin") -> str:
    """Where the program is; UserError when its Debian package is not installed."""
    found = shutil.which(name) or shutil.which(name, path=also)
    if found is None:
        raise UserError(f"{name} is missing: sudo apt-get install {package}", os.EX_UNAVAILABLE)
    return found


LOG_BYTES = 16 << 20
"""A log that is longer begins anew at the next start."""


class Process:
    """One server, started and stopped as often as wanted; not started yet.

    `log` gets what it writes to stdout and stderr, in addition to what is there. `user`: who it
    runs as, when that is not whoever runs this (who must be root then). `ending` asks it to end in
    order. When the process that started it dies, it is asked to end, too. `held`: a file that it
    has open as we have, so that a lock on it lasts as long as either of us.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        log: Path,
        *,
        user: str | None = None,
        ending: signal.Signals = signal.SIGTERM,
        stop_s: float = 20.0,
        held: int | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._arguments = [*_tied_to_us(user, ending), *arguments]
        self._ending = ending
        self._stop_s = stop_s
        self._held = held
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Of the running process; RuntimeError when there is none."""
        if self._process is None or self._process.returncode is not None:
            raise RuntimeError(f"{self.name} does not run")
        return self._process.pid

    async def start(self) -> None:
        """Start it; it need not be ready when this returns."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        _bound(self.log)
        with self.log.open("ab") as log:
            # In a session of its own: a Ctrl-C at the terminal is for the command, which then ends
            # everything in order.
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                pass_fds=() if self._held is None else (self._held,),
                start_new_session=True,
            )

    def send(self, number: signal.Signals) -> None:
        """A signal to the running process; RuntimeError when there is none."""
        os.kill(self.pid, number)

    async def wait(self) -> int:
        """The exit code, as soon as it has ended; negative: the signal that ended it."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and kill it when it takes too long; nothing when it does not run."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(self._ending)
        try:
            async with asyncio.timeout(self._stop_s):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once (SIGKILL); nothing when it does not run."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def _bound(log: Path) -> None:
    """What is full begins anew; one before it is kept."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))


def last_words(log: Path, lines: int = 3) -> str:
    """The end of a log, in one line."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            said = file.read().decode(errors="replace").splitlines()
    except OSError:
        said = []
    return " | ".join(line.strip() for line in said[-lines:]) or "it said nothing"


def as_user(user: str) -> list[str]:
    """What goes before a program's name to run it as `user`."""
    group = str(pwd.getpwnam(user).pw_gid)
    change = ["--reuid", user, "--regid", group, "--init-groups"]
    return [program("setpriv", "util-linux"), *change, "--"]


def _tied_to_us(user: str | None, ending: signal.Signals) -> list[str]:
    """The signal that comes with our death; of another user, it must be set after the change."""
    tied = [program("setpriv", "util-linux"), "--pdeathsig", ending.name.removeprefix("SIG"), "--"]
    return tied if user is None else [*as_user(user), *tied]
