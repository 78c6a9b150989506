"""`hall diag` in a terminal of its own."""

import asyncio
import contextlib
import fcntl
import functools
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

from support.diag import HALL, claim_file, plugged


class Screen:
    """`hall diag` in the smallest usual terminal; what it has shown so far, without its colours."""

    def __init__(self, *arguments: str) -> None:
        self._master, terminal = pty.openpty()
        # A parallel test run sets these, and they would win over the terminal's own size.
        own = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")
        }
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [HALL, "diag", *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=own | {"TERM": "xterm"},
            # Ctrl-C ends it also where the tests run in the background, which ignores it.
            preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        os.close(terminal)

    def until(self, *parts: str, seconds: float = 20) -> None:
        """Waits for a picture, begun after this call, that has all of `parts`."""
        shown = b""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self._master], [], [], 0.1)[0]:
                shown += os.read(self._master, 65536)
            pictures = shown.split(b"\x1b[H")[1:]
            for picture in pictures:
                text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", picture.decode("utf-8", "replace"))
                if all(part in text for part in parts):
                    return
        raise AssertionError(shown[-4000:].decode("utf-8", "replace"))

    def close(self) -> int:
        self.process.send_signal(signal.SIGINT)
        while True:
            with contextlib.suppress(OSError):
                os.read(self._master, 65536)
            if self.process.poll() is not None:
                os.close(self._master)
                return self.process.returncode


async def test_the_page_lives_and_says_when_it_is_old(tmp_path: Path):
    async with plugged("wet-floor-mains", tmp_path) as device:
        screen = Screen(device.device.port, *claim_file(tmp_path))

        async def shows(*parts: str) -> None:
            await asyncio.to_thread(screen.until, *parts)

        try:
            await shows("dev-1", "answers", "power_on", "raw forward_uv", "▁")
            await device.device.power_cut()
            await shows("dev-1", "all of this is old")
            await device.device.power_on()
            # The samples go on too: the stream was begun anew.
            await shows("dev-1", "answers", "boot count 2", "raw forward_uv")
        finally:
            code = await asyncio.to_thread(screen.close)
    assert code == 0
