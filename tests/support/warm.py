"""Processes of `hall` whose imports are there: forked from one process that has done them.

A gateway takes a second of processor time to import what it is made of, and the tests start some
hundred. Each is a process as `python -c` would make it, with its own pid, argv, environment,
folder, umask, files and signals, and what it is started again with by itself is a new interpreter.

Here: that one process, and `Warm` in place of subprocess.Popen. Not here: what is run (gateway.py).
A test of the start itself takes subprocess.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

PROGRAM = "from hall_tools.cli import main; main()"
"""What each of them runs."""


class _Source:
    """The process that they are forked from, one for all tests of this process."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with theirs:
            program = Path(__file__).with_name("warm_process.py")
            self._process = subprocess.Popen(
                [sys.executable, str(program), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self._end)

    def ask(self, files: list[int], **asked: object) -> int:
        with self._lock:
            socket.send_fds(self._control, [json.dumps(asked).encode()], files)
            told = self._control.recv(64)
        assert told, f"nothing can be forked: it ended with {self._process.wait()}"
        return int(told)

    def _end(self) -> None:
        self._control.close()
        self._process.wait()


@functools.cache
def _source() -> _Source:
    return _Source()


def _umask() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Umask:")), 8)


class Warm:
    """`hall` with these arguments: as subprocess.Popen, with a text pipe for stdout."""

    def __init__(self, arguments: list[str], errors: IO[bytes]) -> None:
        reading, writing = os.pipe()
        try:
            self.pid = _source().ask(
                [writing, errors.fileno()],
                arguments=arguments,
                program=PROGRAM,
                environment=dict(os.environ),
                folder=str(Path.cwd()),
                umask=_umask(),
            )
        finally:
            os.close(writing)
            self.stdout = os.fdopen(reading, encoding="utf-8")
        self._ended = os.pidfd_open(self.pid)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            waiting = select.poll()
            waiting.register(self._ended, select.POLLIN)
            if not waiting.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("hall", timeout or 0)
            self.returncode = _source().ask([], ended=self.pid)
            os.close(self._ended)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._ended, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
