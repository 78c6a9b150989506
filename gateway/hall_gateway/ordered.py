"""Messages handled in order, several at a time: what lets one commit carry many of them.

Here: the queue and worker between a broker and the core, and waiting while the store takes
nothing. Not here: what a message means (devices_mqtt.py, hall_link.py).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hall_gateway.mqtt_connection import Message
from hall_gateway.values import StoreError

Result = TypeVar("Result")

BATCH = 32
"""Messages of one sender that are handed to the core together."""
RETRY_S = 1.0
"""How long the store is left alone after it refused a commit."""


class OrderedWorker:
    """Hands messages to `handle` in the order they were put; `run` is its task.

    `handle` must hand the message to the core before it first waits: then a batch is committed
    in its order. When it raises StoreError nothing was acked; this message and all after it are
    handled again, from here, until the store takes them.
    """

    def __init__(self, handle: Callable[[Message], Awaitable[None]]) -> None:
        self._handle = handle
        self._queue: asyncio.Queue[Message] = asyncio.Queue(maxsize=BATCH)

    async def put(self, message: Message) -> None:
        """Queue a message; waits while the queue is full, so that the broker waits too."""
        await self._queue.put(message)

    async def idle(self) -> None:
        """Returns when everything put so far is handled."""
        await self._queue.join()

    async def run(self) -> None:
        """Handle messages until cancelled; raises what `handle` raises, except StoreError."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            left = await self._try(batch)
            while left:
                await asyncio.sleep(RETRY_S)
                left = await self._try(left)
            for _ in batch:
                self._queue.task_done()

    async def _try(self, batch: list[Message]) -> list[Message]:
        """Handle a batch; what has to be handled again, from the first that the store refused."""
        results = await asyncio.gather(*map(self._handle, batch), return_exceptions=True)
        refused = [i for i, result in enumerate(results) if isinstance(result, StoreError)]
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, StoreError):
                raise result
        return batch[refused[0] :] if refused else []


async def until_stored(call: Callable[[], Awaitable[Result]]) -> Result:
    """What `call` returns, trying again while the store takes nothing."""
    while True:
        try:
            return await call()
        except StoreError:
            await asyncio.sleep(RETRY_S)
