"""Work that whoever started it may end at any moment, and that then still cleans up.

Here: signals of a terminal and of a service manager. Not here: what is worth cleaning up.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def until_stopped(
    work: Coroutine[Any, Any, Result], ending: Callable[[], None] = lambda: None
) -> tuple[int, Result | None]:
    """The signal that cancelled the work, or 0 and its result.

    The first signal calls `ending`; later ones do nothing, so that cleaning up is not interrupted.
    """
    task = asyncio.ensure_future(work)
    stopped: list[int] = []

    def stop(number: int) -> None:
        if not stopped:
            stopped.append(number)
            ending()
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        return 0, await task
    except asyncio.CancelledError:
        return stopped[0], None
