"""The parts of a hall that are processes: two brokers and the gateway.

Here: starting them, ending them in every way, and what the kernel knows of them. Not here: when
(faults.py). Run as `python -m hall_tools.chaos.processes PARENT_PID PROGRAM ARGUMENT ...` it is
that program, which dies with its parent.
"""

import asyncio
import contextlib
import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hall_tools.errors import UserError
from hall_tools.ports import free_port

START_S = 60.0
"""A part that is not there by then never will be; it takes a second on an idle machine."""

STOP_S = 20.0
_LOOK_S = 0.02
_ROOM = 32 * 1024
"""Bytes that a file may have on a full disk: less than the gateway's store always has."""
_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with(parent: int) -> None:
    """Let the kernel end this process when `parent`, its parent, has ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent died before its child was started")


class Part:
    """One process, which may be killed and started again; its output goes to `name`.log."""

    def __init__(self, folder: Path, name: str, module: str, arguments: Sequence[str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.starts = 0
        self._command = [sys.executable, "-m", module, str(os.getpid()), *arguments]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None

    @property
    def ended(self) -> int | None:
        """The exit code of one that has ended by itself."""
        return None if self._process is None else self._process.poll()

    @property
    def last_words(self) -> str:
        said = self.log.read_text(errors="replace").splitlines()
        return said[-1] if said else "it said nothing"

    def check(self) -> None:
        """Raises UserError when it has ended by itself."""
        if self.ended is not None:
            raise UserError(
                f"{self.name} ended with exit code {self.ended}: {self.last_words}", os.EX_SOFTWARE
            )

    def launch(self) -> None:
        """Starts it when it does not run, and waits for nothing. From the main thread, whose death
        would be its own."""
        if self._process is not None and self._process.poll() is None:
            return
        self.starts += 1
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the command, which then ends everything
            )

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL to what does not end by it; nothing when it does not run."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            await asyncio.to_thread(process.wait, STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Broker(Part):
    """A mosquitto on 127.0.0.1. With `remembers` its sessions survive an end in order.

    `port` is another after each start: while it is down, anybody may take the one that it had.
    """

    def __init__(self, folder: Path, name: str, remembers: bool) -> None:
        self.port = 0
        self._config = folder / f"{name}.conf"
        self._lines = [
            "user root",  # the folder is private to whoever runs this
            "set_tcp_nodelay true",
            # 2.0.11 drops what waits beyond this; here nothing may be dropped by a broker.
            "max_queued_messages 0",
            f"persistence {'true' if remembers else 'false'}",
            f"persistence_location {folder}/",
            f"persistence_file {name}.sessions",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
        ]
        program = [_mosquitto(), "-c", str(self._config)]
        super().__init__(folder, name, "hall_tools.chaos.processes", program)
        self._sessions = folder / f"{name}.sessions"

    async def start(self) -> None:
        """Returns when it accepts connections."""
        try:
            async with asyncio.timeout(START_S):
                while not await self._started():
                    pass  # with another port
        except TimeoutError:
            raise UserError(
                f"{self.name}: mosquitto does not listen on 127.0.0.1:{self.port}",
                os.EX_UNAVAILABLE,
            ) from None

    async def _started(self) -> bool:
        """Whether it listens; not, when somebody has just taken its port."""
        self.port = free_port()
        listener = [f"listener {self.port} 127.0.0.1", "allow_anonymous true"]
        self._config.write_text("\n".join([*self._lines, *listener]) + "\n")
        self.launch()
        while True:
            if self.ended is not None and "Address already in use" in self.last_words:
                return False
            self.check()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(_LOOK_S)
            else:
                writer.close()
                return True

    def forget(self) -> None:
        """What it kept of its sessions is gone too. While it does not run."""
        self._sessions.unlink(missing_ok=True)


class Gateway(Part):
    """`hall gateway run` with `settings`, on a clock of its own."""

    def __init__(self, folder: Path, settings: Path) -> None:
        self._clock = folder / "clock"
        self._clock.write_bytes(bytes(8))
        arguments = [str(self._clock), "gateway", "run", "--config", str(settings)]
        super().__init__(folder, "gateway", "hall_tools.chaos.gateway_child", arguments)

    def set_clock(self, ahead_ms: int) -> None:
        """It is so far ahead of the machine's, at once and in the processes to come."""
        with self._clock.open("r+b") as file:
            file.write(ahead_ms.to_bytes(8, "little", signed=True))

    def fill_disk(self) -> None:
        """No file of the process that runs can be written beyond its first 32 KB."""
        self._limit(_ROOM)

    def empty_disk(self) -> None:
        """Takes fill_disk() back."""
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def resident_mb(self) -> float:
        """Its resident memory now (proc(5): VmRSS); 0 while it does not run."""
        if not self.runs or self.ended is not None:
            return 0.0
        told = Path(f"/proc/{self.pid}/status").read_text().partition("VmRSS:")[2].split()
        return int(told[0]) / 1024 if told else 0.0


def _mosquitto() -> str:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        raise UserError("mosquitto is missing; sudo apt-get install mosquitto", os.EX_UNAVAILABLE)
    return program


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
