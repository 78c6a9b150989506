"""What many browsers ask for at the same time, read once for all of them.

Here: sharing and bounding the work. Not here: what is read (pages_*.py).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Keeps the `most` newest results. Reads one after the other, beside the event loop, so that
    whoever asks for much has one thread of it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._turn = asyncio.Lock()
        self._known: OrderedDict[Hashable, asyncio.Task[T]] = OrderedDict()

    async def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """The result for `key`, which says everything that it depends on. Raises what `read` does;
        that is not kept."""
        task = self._known.get(key)
        if task is None:
            task = self._known[key] = asyncio.create_task(self._read(read))
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        try:
            return await asyncio.shield(task)
        except Exception:
            self._known.pop(key, None)
            raise

    async def _read(self, read: Callable[[], T]) -> T:
        async with self._turn:
            return await asyncio.to_thread(read)
