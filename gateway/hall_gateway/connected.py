"""Whether there is a connection to a server, and work that is done for as long as it lasts.

Here: waiting for one, and running work on each. Not here: how one is made and when it is made again
(mqtt.py, jetstream.py), what goes over it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from hall_gateway.mqtt_message import DisconnectedError


class Ending(Protocol):
    """`lost` is done, without an error, when the connection has ended."""

    lost: asyncio.Future[None]


C = TypeVar("C", bound=Ending)


class Connected(Generic[C]):
    """The connection of now, which whoever keeps it sets."""

    def __init__(self) -> None:
        self.now: C | None = None
        self._changed = asyncio.Condition()

    async def set(self, connection: C | None) -> None:
        async with self._changed:
            self.now = connection
            self._changed.notify_all()

    async def next(self) -> C:
        """One that has not ended, as soon as there is one."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.now is not None and not self.now.lost.done())
            assert self.now is not None
            return self.now

    async def while_connected(self, work: Callable[[C], Awaitable[None]]) -> None:
        """Run `work` once on every connection, from its start; cancel it when that ends.

        Returns never. A DisconnectedError out of `work` only ends that run; all else is raised.
        """
        while True:
            connection = await self.next()
            working = asyncio.ensure_future(work(connection))
            try:
                await asyncio.wait((working, connection.lost), return_when=asyncio.FIRST_COMPLETED)
            finally:
                working.cancel()
                await asyncio.wait((working,))
            if not working.cancelled():
                with suppress(DisconnectedError):
                    working.result()
            await asyncio.wait((connection.lost,))
