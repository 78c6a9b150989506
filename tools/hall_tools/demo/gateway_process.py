"""The gateway and the console as their own processes, as they run in a hall, tied to the life of
the demo.

Here: starting it, noticing that it died, stopping it. Not here: its settings (layout.py).
Run as `python -m hall_tools.demo.gateway_process PARENT_PID ARGUMENT ...` it is `hall ARGUMENT ...`
that ends when its parent does.
"""

import asyncio
import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from hall_tools.errors import UserError

STOP_S = 10.0
"""The gateway commits and says goodbye within this time, or it is killed."""

_PR_SET_PDEATHSIG = 1  # prctl(2)


class HallProcess:
    """`async with HallProcess("gateway", settings)`: `hall gateway run` inside, gone outside."""

    def __init__(self, part: str, settings: Path) -> None:
        self._part = part
        self._settings = settings
        self._log = settings.with_name(f"{part}.log")
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> "HallProcess":
        with self._log.open("wb") as log:
            # In a session of its own: a Ctrl-C at the terminal is for the demo, which then stops
            # everybody in order.
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hall_tools.demo.gateway_process", str(os.getpid())),
                *(self._part, "run", "--config", str(self._settings)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def watch(self) -> None:
        """Raises UserError when it ends by itself."""
        code = await self._process.wait()
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        last = lines[-1] if lines else "it said nothing"
        raise UserError(f"the {self._part} ended with exit code {code}: {last}", os.EX_SOFTWARE)


def _main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent died before its child was started")
    # Only this process needs every subcommand.
    from hall_tools import cli

    sys.argv = ["hall", *sys.argv[2:]]
    cli.main()


if __name__ == "__main__":
    _main()
