"""Messages handled in order, several at a time: what lets one commit carry many of them.

Here: the queue and worker between a broker and the core, and waiting while the store takes
nothing. Not here: what a message means (devices_mqtt.py, hall_link.py).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import groupby
from typing import TypeVar

from hall_gateway.mqtt_message import Message
from hall_gateway.values import StoreError
from hall_gateway.wire import one_line

log = logging.getLogger(__name__)

Result = TypeVar("Result")

BATCH = 64
"""Messages of one sender that are handed to the core together."""
RETRY_S = 1.0
"""How long the store is left alone after it refused a commit."""


class OrderedWorker:
    """Hands messages to `handle` in the order they were put; `run` is its task.

    `handle` gets messages that `alike` calls the same, one after the other, together. It must hand
    them to the core before it first waits: then a batch is committed in its order. When it raises
    StoreError nothing was acked; these messages and all after them are handled again, from here,
    until the store takes them. Any other error is a defect: each of them is handled by itself, and
    the one that fails again is counted as "defect" in `refused`, logged and PUBACKed, for it would
    only fail again.
    """

    def __init__(
        self,
        handle: Callable[[list[Message]], Awaitable[None]],
        refused: Counter[str],
        alike: Callable[[Message], object] = id,
    ) -> None:
        self._handle = handle
        self._refused = refused
        self._alike = alike
        self._queue: asyncio.Queue[Message] = asyncio.Queue(maxsize=BATCH)

    async def put(self, message: Message) -> None:
        """Queue a message; waits while the queue is full, so that the broker waits too."""
        await self._queue.put(message)

    @property
    def full(self) -> bool:
        """Whether put() would wait."""
        return self._queue.full()

    async def idle(self) -> None:
        """Returns when everything put so far is handled."""
        await self._queue.join()

    async def run(self) -> None:
        """Handle messages until cancelled."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            left = await self._try(batch, self._alike)
            while left:
                await asyncio.sleep(RETRY_S)
                left = await self._try(left, self._alike)
            for _ in batch:
                self._queue.task_done()

    async def _try(self, batch: list[Message], alike: Callable[[Message], object]) -> list[Message]:
        """Handle a batch; what has to be handled again, from the first that the store refused."""
        runs = [list(run) for _, run in groupby(batch, alike)]
        results = await asyncio.gather(*map(self._handle, runs), return_exceptions=True)
        done = 0
        for run, result in zip(runs, results, strict=True):
            if isinstance(result, StoreError):
                return batch[done:]
            if isinstance(result, Exception):
                if len(run) > 1:
                    if left := await self._try(run, id):
                        return left + batch[done + len(run) :]
                else:
                    self._give_up(run[0], result)
            elif result is not None:
                raise result
            done += len(run)
        return []

    def _give_up(self, message: Message, defect: Exception) -> None:
        self._refused["defect"] += 1
        log.error("gave up a message on %s: %r", one_line(message.topic), defect, exc_info=defect)
        message.ack()


async def until_stored(call: Callable[[], Awaitable[Result]]) -> Result:
    """What `call` returns, trying again while the store takes nothing."""
    while True:
        try:
            return await call()
        except StoreError:
            await asyncio.sleep(RETRY_S)
