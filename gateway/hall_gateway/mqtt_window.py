"""What one MQTT connection has published: what has no PUBACK yet, and what waits to be sent.

Here: the broker's bound of messages without a PUBACK, and whom a PUBACK is for. Not here: the
connection, and why it ended (mqtt_connection.py).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from hall_gateway.mqtt5 import MOST_UNACKNOWLEDGED

FIRST = 1024
"""The first packet identifier that identifier() gives: paho gives those before it, from 1 on, to
its own packets, which are a few SUBSCRIBEs and UNSUBSCRIBEs."""
LAST = 65_535

Publish = Callable[[], int]
"""Sends a message, and returns its packet identifier."""


class Window:
    """Futures of what was sent, each done at its PUBACK, or with an error without it. `quota`: so
    many may be without one at once."""

    def __init__(self) -> None:
        self.quota = MOST_UNACKNOWLEDGED
        self._loop = asyncio.get_running_loop()
        self._last = FIRST
        self._unconfirmed: dict[int, tuple[float, asyncio.Future[None]]] = {}
        self._held: deque[tuple[asyncio.Future[None], Publish]] = deque()

    @property
    def oldest(self) -> float | None:
        """Since when (time.monotonic) something has been without its PUBACK."""
        return min((sent for sent, _ in self._unconfirmed.values()), default=None)

    def identifier(self) -> int:
        """A packet identifier that nothing waits for."""
        while True:
            self._last = self._last + 1 if self._last < LAST else FIRST
            if self._last not in self._unconfirmed:
                return self._last

    def send(self, publish: Publish) -> asyncio.Future[None]:
        """`publish` now, or as soon as the broker allows one more."""
        if len(self._unconfirmed) < self.quota:
            return self.expect(publish())
        future: asyncio.Future[None] = self._loop.create_future()
        self._held.append((future, publish))
        return future

    def expect(self, mid: int) -> asyncio.Future[None]:
        """The future of what was sent as `mid`."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._unconfirmed[mid] = (time.monotonic(), future)
        return future

    def confirm(self, mid: int, error: Exception | None = None) -> None:
        """The broker has answered `mid`."""
        _, future = self._unconfirmed.pop(mid, (0.0, None))
        if future is not None:
            _settle(future, error)

    def send_held(self) -> None:
        """What waited until the broker allows one more."""
        while self._held and len(self._unconfirmed) < self.quota:
            future, publish = self._held.popleft()
            self._unconfirmed[publish()] = (time.monotonic(), future)

    def end(self, error: Exception) -> None:
        """Nothing more is confirmed: `error` for all that was sent, or waits."""
        futures = [future for _, future in self._unconfirmed.values()]
        futures += [future for future, _ in self._held]
        self._unconfirmed.clear()
        self._held.clear()
        for future in futures:
            _settle(future, error)


def _settle(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
        future.exception()  # nobody waits for what was only sent
