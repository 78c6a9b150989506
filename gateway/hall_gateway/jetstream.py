"""Staying connected to the back office's NATS servers.

Here: which server, when to connect again, and what an operator wants to know of it. Not here: a
connection (jetstream_connection.py), what goes over it (jetstream_link.py).

The servers are one cluster: each is as good as the others, so they are tried in an order by chance,
and a connection that ends is followed by one to another.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable

from hall_gateway.config_jetstream import SINK, JetStreamConfig
from hall_gateway.connected import Connected
from hall_gateway.jetstream_connection import Arrived, Connection
from hall_gateway.mqtt import STABLE_S, retry_delay
from hall_gateway.mqtt_message import Counters, DisconnectedError
from hall_gateway.toml_input import ConfigError
from hall_gateway.wire import rfc3339

log = logging.getLogger(__name__)

MANY = 2
"""Attempts that count as made already: thousands of halls lose one server in the same moment, so
they spread over 4 s from the first attempt on."""


class JetStream:
    """Keeps one connection as `hall`; `take` is awaited with each command."""

    def __init__(
        self, hall: str, config: JetStreamConfig, take: Callable[[Arrived], Awaitable[None]]
    ) -> None:
        self.counters = Counters()
        self.link: Connected[Connection] = Connected()
        self._hall = hall
        self._config = config
        self._hand_on = take
        self._dropped = 0  # by connections before the one of now
        self.taken = 0
        """Commands that were handed on, since the start."""

    @property
    def connected(self) -> bool:
        """Whether a server has let the hall in."""
        return self.link.now is not None

    @property
    def waiting(self) -> int:
        """Commands that came, and were not handed on yet."""
        return self.link.now.waiting if self.link.now else 0

    def connection(self) -> Connection:
        """The one of now; raises DisconnectedError while there is none."""
        if self.link.now is None:
            raise DisconnectedError(f"{SINK}: no connection")
        return self.link.now

    @property
    def dropped(self) -> int:
        """Commands that came faster than they were handled, since the start."""
        now = self.link.now
        return self._dropped + (now.dropped if now else 0)

    async def run(self) -> None:
        """Connect, for as long as it takes, again and again, until cancelled."""
        attempt = 0
        while True:
            try:
                connection = await self._open()
            except DisconnectedError as error:
                self.counters.failures += 1
                self._report(str(error))
                await asyncio.sleep(retry_delay(attempt + MANY))
                attempt += 1
                continue
            started = time.monotonic()
            self.counters.connects += 1
            self.counters.last_error = ""
            log.info("%s: connected", SINK)
            try:
                await self.link.set(connection)
                await connection.watch()
            except DisconnectedError as error:
                self._report(str(error))
            finally:
                await self._end(connection)
            attempt = 0 if time.monotonic() - started > STABLE_S else attempt + 1
            await asyncio.sleep(retry_delay(attempt + MANY))

    async def _open(self) -> Connection:
        """To the first server that lets the hall in; raises DisconnectedError with what each of
        them said, in the settings' order, so that the same trouble has the same words."""
        try:
            who, tls = self._config.credentials(), self._config.tls()
        except ConfigError as error:
            raise DisconnectedError(str(error)) from None
        refusals: dict[str, str] = {}
        for server in random.sample(self._config.servers, len(self._config.servers)):
            connection = Connection(self._hall, self._take)
            try:
                await connection.open(server, who, tls)
            except DisconnectedError as error:
                await connection.close()
                refusals[server] = str(error)
            except BaseException:
                await connection.close()
                raise
            else:
                return connection
        why = "; ".join(refusals[server] for server in dict.fromkeys(self._config.servers))
        if who.expires is not None and who.expires <= time.time():
            why += f"; the credentials expired on {rfc3339(who.expires * 1000)}"
        raise DisconnectedError(why)

    async def _take(self, arrived: Arrived) -> None:
        self.taken += 1
        await self._hand_on(arrived)

    async def _end(self, connection: Connection) -> None:
        await self.link.set(None)
        self._dropped += connection.dropped
        await connection.close()

    def _report(self, error: str) -> None:
        """Servers that are away for hours are one log line, not thousands."""
        if error != self.counters.last_error:
            log.warning("%s: %s; trying again", SINK, error)
        self.counters.last_error = self.counters.last_loss = error
