"""When the hall is open, and what becomes of what people do when it closes.

Here: acts that go on until closing time, and then come to an end in order. Not here: the acts.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")


class HallClosedError(Exception):
    """It is closing time: nobody begins anything new."""


class OpeningHours:
    """`async with open()`: inside, acts begin; it ends when all of them have, after close()."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()
        self._acts: asyncio.TaskGroup

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        async with asyncio.TaskGroup() as self._acts:
            yield

    @property
    def closing(self) -> bool:
        """Whether it is after closing time."""
        return self._closing.is_set()

    def close(self) -> None:
        """Closing time."""
        self._closing.set()

    def begin(self, act: Coroutine[Any, Any, None]) -> None:
        """Somebody begins to do something; closing time ends it at its next pause."""

        async def until_closed() -> None:
            with suppress(HallClosedError):
                await act

        self._acts.create_task(until_closed())

    async def pause(self, seconds: float) -> None:
        """Waits; raises HallClosedError at closing time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        self.only_while_open()

    def only_while_open(self) -> None:
        """Raises HallClosedError after closing time."""
        if self._closing.is_set():
            raise HallClosedError

    async def while_open(self, wish: Awaitable[T]) -> T:
        """The result of `wish`; raises HallClosedError when closing time comes first."""
        wished = asyncio.ensure_future(wish)
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait({wished, closing}, return_when=asyncio.FIRST_COMPLETED)
            if not wished.done():
                raise HallClosedError
            return wished.result()
        finally:
            wished.cancel()
            closing.cancel()
