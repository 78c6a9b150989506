"""Kill a process at its n-th step of writing to disk: every SQL statement, sync and rename.

A child is forked, so it costs milliseconds; it dies by SIGKILL, so nothing of it is cleaned up.
"""

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from typing import Any

_CONNECT = sqlite3.connect


def killed_at(step: int, work: Callable[[Callable[[bytes], None]], None]) -> tuple[bool, bytes]:
    """Run `work` in a child that dies before its `step`-th step on disk.

    `work` gets a function that reports bytes to here. Returns whether the child was killed (rather
    than done before), and what it had reported.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        status = 1
        try:
            _die_before(step)
            work(lambda report: _all(writer, report))
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, "rb") as pipe:
        reported = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True, reported
    assert os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return False, reported


def _all(descriptor: int, report: bytes) -> None:
    assert os.write(descriptor, report) == len(report)


def _die_before(step: int) -> None:
    left = step

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        count()
        connection = _CONNECT(*args, **kwargs)
        connection.set_trace_callback(count)
        return connection

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            count()
            return function(*args, **kwargs)

        return call

    sqlite3.connect = connect
    os.replace = counted(os.replace)
    os.fsync = counted(os.fsync)
    os.unlink = counted(os.unlink)
    shutil.copy2 = counted(shutil.copy2)
