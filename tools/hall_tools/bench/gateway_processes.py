"""The processes of a measurement: brokers, and whatever is measured, each in a folder of its own.

Here: starting, ending, stopping for a while and killing them, and what the kernel knows of them.
Not here: what is sent to them (gateway_load.py), how a system is set up (gateway_systems.py).
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hall_tools.errors import UserError

START_S = 15.0
STOP_S = 15.0


class Process:
    """One process; `close` ends it whatever it is at. Its output goes to a file in `folder`."""

    def __init__(
        self, folder: Path, name: str, command: Sequence[str], env: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._folder = folder
        self._command = list(command)
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the command, which then ends everything
            )

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to what does not end by it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def log(self) -> str:
        """What it has said so far, over all its starts."""
        return (self._folder / f"{self.name}.log").read_text(errors="replace")

    def check(self) -> None:
        """Raises UserError when it has ended by itself."""
        if not self.running:
            said = self.log.splitlines()
            last = said[-1] if said else "it said nothing"
            raise UserError(f"{self.name} ended by itself: {last}", os.EX_SOFTWARE)


class Broker(Process):
    """A mosquitto on loopback, whose sessions survive stop() and start()."""

    def __init__(self, folder: Path, name: str, port: int, more: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / f"{name}.conf"
        super().__init__(folder, name, [_mosquitto(), "-c", str(config)])
        self.port = port
        lines = [
            "user root",  # the folder is private to whoever measures
            "set_tcp_nodelay true",
            # 2.0.11 drops what waits beyond this; here nothing may be dropped by a broker.
            "max_queued_messages 0",
            "persistence true",
            f"persistence_location {folder}/",
            f"persistence_file {name}.sessions",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "log_type subscribe",
            f"listener {port} 127.0.0.1",
            "allow_anonymous true",
            *more,
        ]
        config.write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        """Returns when it accepts connections."""
        super().start()
        deadline = time.monotonic() + START_S
        while True:
            self.check()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise UserError(
                        f"{self.name}: mosquitto does not listen on 127.0.0.1:{self.port}",
                        os.EX_UNAVAILABLE,
                    ) from None
                time.sleep(0.01)


def _mosquitto() -> str:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        raise UserError("mosquitto is missing; sudo apt-get install mosquitto", os.EX_UNAVAILABLE)
    return program


def resident_mb(pid: int) -> tuple[float, float]:
    """Resident memory now, and the most so far (proc(5): VmRSS, VmHWM)."""
    found = {"VmRSS": 0.0, "VmHWM": 0.0}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in found:
            found[name] = int(value.split()[0]) / 1024
    return found["VmRSS"], found["VmHWM"]


def written_bytes(pid: int) -> int:
    """What a process has caused to be written to the disk (proc(5), io: write_bytes)."""
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    return 0


def cpu_s(pid: int) -> float:
    """Processor time that a process has used (proc(5), stat: utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
