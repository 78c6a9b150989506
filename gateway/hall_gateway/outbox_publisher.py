"""The outbox to one MQTT broker: a window of events in flight, and the cursor behind them.

Here: what is read and sent when, and when the cursor moves. Not here: topics (hall_link.py), SQL
(store_sinks.py), connections (mqtt.py).

Up to WINDOW events are sent and not behind the stored cursor yet, so at most that many come again
after a crash. The cursor's move forces no commit of its own while there is room: it rides with the
next events that are stored.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from hall_gateway.core import Core
from hall_gateway.mqtt_message import DisconnectedError
from hall_gateway.ordered import until_stored
from hall_gateway.values import OutboxRow

WINDOW = 50
"""Events that are sent, and that the stored cursor has not passed."""
READ = 4 * WINDOW
"""Events that are taken from the store together."""

Send = Callable[[OutboxRow], asyncio.Future[None]]
"""Sends an event; the future is done at its PUBACK. Both raise DisconnectedError."""


class OutboxPublisher:
    """Publishes a sink's events in order. `taken` is called whenever the broker has taken some."""

    def __init__(self, core: Core, sink: str, send: Send, taken: Callable[[], None]) -> None:
        self._core = core
        self._sink = sink
        self._send = send
        self._taken = taken
        self._news = core.signals.outbox.listen()
        self._turn = core.signals.outbox.listen()  # set when there may be something to do
        self._moved = asyncio.Event()
        self._landed = asyncio.Event()
        self._in_flight: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._unsettled: deque[int] = deque()  # positions sent that the stored cursor is before
        self._sent = self._confirmed = 0  # positions
        self._ready: deque[OutboxRow] = deque()  # read, not sent yet
        self._looking = False  # the store is asked for more
        self._looked = asyncio.Event()
        self._running = self._finishing = False

    @property
    def owed(self) -> bool:
        """Whether the broker has not confirmed all that was ever sent to it."""
        return self._sent > self._confirmed

    @property
    def _crowded(self) -> bool:
        """Whether half of the window is confirmed, and only waits for the stored cursor."""
        return len(self._unsettled) - len(self._in_flight) >= WINDOW // 2

    async def run(self) -> None:
        """Publish on one connection, from the first event that is not confirmed. Raises
        DisconnectedError."""
        while self._unsettled and self._unsettled[-1] > self._confirmed:
            self._unsettled.pop()
        ready = self._ready
        ready.clear()
        read, more = self._confirmed, True
        self._running = True
        try:
            while True:
                self._turn.clear()
                if not ready and (more or self._news.is_set()):
                    self._looking = True
                    self._news.clear()
                    rows = partial(self._core.outbox, self._sink, READ, read)
                    ready.extend(await until_stored(rows))
                    more = len(ready) == READ
                    read = ready[-1].position if ready else read
                self._confirm()
                while ready and len(self._unsettled) < WINDOW and not self._finishing:
                    self._publish(ready.popleft())
                self._looking = False
                self._looked.set()
                if self._crowded:
                    self._core.hurry()
                if ready or not more:
                    await self._turn.wait()
        finally:
            with suppress(DisconnectedError):
                self._confirm()
            self._in_flight.clear()
            self._landed.set()
            self._running = self._looking = False
            self._looked.set()

    async def settle(self) -> None:
        """Move the stored cursor after what is confirmed, until cancelled."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            position = self._confirmed
            if self._crowded:
                await until_stored(partial(self._core.advance, self._sink, position))
            else:
                move = partial(self._core.advance_lazily, self._sink, lambda: self._confirmed)
                position = await until_stored(move)
            self._settled(position)

    async def finish(self) -> None:
        """Send what was stored last, unless others wait before it; then let what is in flight
        end, and send nothing more."""
        while self._running and not self._ready and (self._looking or self._news.is_set()):
            self._looked.clear()
            await self._looked.wait()
        self._finishing = True
        while self._in_flight:
            self._landed.clear()
            await self._landed.wait()
        if self._unsettled:
            await until_stored(partial(self._core.advance, self._sink, self._confirmed))

    def _publish(self, row: OutboxRow) -> None:
        self._sent = max(self._sent, row.position)
        self._unsettled.append(row.position)
        puback = self._send(row)
        puback.add_done_callback(lambda _puback: self._turn.set())
        self._in_flight.append((row.position, puback))

    def _confirm(self) -> None:
        """Note the PUBACKs that came, in the order of the events."""
        before = self._confirmed
        try:
            while self._in_flight and self._in_flight[0][1].done():
                position, puback = self._in_flight[0]
                puback.result()  # one that failed stays the first: nothing after it is confirmed
                self._confirmed = position
                self._in_flight.popleft()
        finally:
            if self._confirmed != before:
                self._taken()
                self._moved.set()
                self._landed.set()

    def _settled(self, position: int) -> None:
        while self._unsettled and self._unsettled[0] <= position:
            self._unsettled.popleft()
        self._turn.set()
