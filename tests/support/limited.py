"""What the kernel does where `hall gateway setup` has limited what one address may send.

Here: a way to a port that takes so many bytes a second, and some at once, however many connections
use it. The rules themselves are for nftables, which not every machine that runs the tests has; who
is limited there has packets dropped, which is slower still. Not here: the figures
(hall_tools.gateway_setup.firewall).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

TAKE = 16 * 1024


class Limit:
    """`rate` bytes a second and `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self.passed = 0
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, time.monotonic()

    async def pay(self, count: int) -> None:
        """Wait until there is room for so many bytes."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate) - count
        self._at = now
        self.passed += count
        if self._left < 0:
            await asyncio.sleep(-self._left / self._rate)


@asynccontextmanager
async def limited(port: int, limit: Limit) -> AsyncGenerator[int]:
    """A port of this machine by which one gets to `port`, within the limit on the way there."""

    async def carry(client: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            server, onward = await asyncio.open_connection("127.0.0.1", port)
            try:
                async with asyncio.TaskGroup() as group:
                    back = group.create_task(_pump(server, writer, None))
                    await _pump(client, onward, limit)
                    back.cancel()
            finally:
                onward.close()
        writer.close()

    listener = await asyncio.start_server(carry, "127.0.0.1", 0, limit=TAKE)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: Limit | None
) -> None:
    """Until one of the two ends."""
    with suppress(OSError):
        while data := await reader.read(TAKE):
            if limit is not None:
                await limit.pay(len(data))
            writer.write(data)
            await writer.drain()
    writer.close()
