"""One thing changes, several watch it.

Here: the wake-up. Not here: what changed; whoever is woken looks.
"""

import asyncio


class Changes:
    """`notify()` wakes everybody who is in `next()`."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def next(self) -> None:
        """Returns at the next change after this call."""
        await self._event.wait()
