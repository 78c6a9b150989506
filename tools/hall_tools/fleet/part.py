"""A part of a trial that is kept running.

Here: starting it, when it serves, and starting it again when it ends by itself. Not here: which
parts there are (trial.py).
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from hall_tools.errors import UserError
from hall_tools.fleet.process import Process, last_words

READY_S = 120.0
LONGEST_PAUSE_S = 30.0
"""Between two attempts to start what does not stay."""
_LASTING_S = 60.0
"""What has run so long starts at once."""
_LOOK_S = 0.05

Say = Callable[[str], None]


def hall_command(*arguments: str) -> list[str]:
    """The command line of `hall ARGUMENT ...`; whatever lies in the working folder, it is ours."""
    return [sys.executable, "-P", "-m", "hall_tools.cli", *arguments]


async def run_once(name: str, arguments: Sequence[str], log: Path, held: int) -> None:
    """A program that does its work and ends; UserError when it could not."""
    process = Process(name, arguments, log, held=held)
    await process.start()
    try:
        code = await process.wait()
    finally:
        await process.stop()
    if code:
        raise UserError(f"{name}: {last_words(log, 1)}", os.EX_UNAVAILABLE)


class Part:
    """`start` starts `process` and returns when it serves, or raises UserError."""

    def __init__(self, process: Process, start: Callable[[], Awaitable[None]]) -> None:
        self.process = process
        self._start = start
        self._keeper: asyncio.Task[None] | None = None

    async def start(self, say: Say) -> None:
        """Start it, and from then on start it again whenever it ends by itself, and `say` so."""
        await self._start()
        self._keeper = asyncio.create_task(self._keep(say))

    async def let_go(self) -> None:
        """From now on it is not started again."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def stop(self) -> None:
        """End it in order."""
        await self.let_go()
        await self.process.stop()

    async def _keep(self, say: Say) -> None:
        pause = 0.0
        clock = asyncio.get_running_loop().time
        while True:
            since = clock()
            code = await self.process.wait()
            pause = 0.0 if clock() - since > _LASTING_S else min(2 * pause + 1, LONGEST_PAUSE_S)
            said = last_words(self.process.log, 1)
            say(f"{self.process.name} ended ({_how(code)}): {said}")
            await self._again(say, pause)

    async def _again(self, say: Say, pause: float) -> None:
        while True:
            await asyncio.sleep(pause)
            try:
                await self._start()
            except UserError as error:
                pause = min(2 * pause + 1, LONGEST_PAUSE_S)
                say(f"{error}; next attempt in {pause:.0f} s")
            else:
                say(f"{self.process.name}: started again (process {self.process.pid})")
                return


def listening(process: Process, port: int) -> Part:
    """A program that serves once its port on this machine takes connections."""

    async def start() -> None:
        await process.start()
        await _until(process, lambda: _accepts(port))

    return Part(process, start)


def saying(process: Process, word: str) -> Part:
    """A program that serves once it has written `word`."""

    async def start() -> None:
        begin = process.log.stat().st_size if process.log.exists() else 0

        async def said() -> bool:
            with process.log.open("rb") as log:
                log.seek(begin)
                return word.encode() in log.read()

        await process.start()
        await _until(process, said)

    return Part(process, start)


async def _until(process: Process, serves: Callable[[], Awaitable[bool]]) -> None:
    """UserError when it ends meanwhile, or takes too long; it does not run then."""
    try:
        async with asyncio.timeout(READY_S):
            while not await serves():
                if not process.running:
                    break
                await asyncio.sleep(_LOOK_S)
            else:
                return
        what = "ended"
    except TimeoutError:
        what = f"does not serve after {READY_S:.0f} s"
    await process.stop()
    raise UserError(f"{process.name} {what}: {last_words(process.log, 1)}", os.EX_UNAVAILABLE)


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
