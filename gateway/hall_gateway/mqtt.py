"""Staying connected to one MQTT broker: reconnects, messages and publishing across connections.

Here: when to connect again, and the client that the rest of the gateway uses. Not here: paho and
sockets (mqtt_connection.py), topics and what they mean (devices_mqtt.py, hall_link.py).

The session at the broker is persistent, so what arrives while the gateway is away, and what it had
not acknowledged, is delivered again.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from hall_gateway.config_links import MqttConfig
from hall_gateway.connected import Connected
from hall_gateway.mqtt_connection import Connection
from hall_gateway.mqtt_message import Counters, DisconnectedError, Message

log = logging.getLogger(__name__)

STABLE_S = 10.0
"""A connection that held for less does not reset the retry delay (two gateways with one id)."""
RETRY_MIN_S, RETRY_MAX_S = 1.0, 30.0


class MqttClient:
    """Keeps one connection; `async with MqttClient(...) as mqtt:` starts and ends it.

    `name` is what log lines call the broker. `will` is published, retained, by the broker when
    the connection breaks. `subscribe` are topic filters, taken at QoS 1 on every connect.
    """

    def __init__(
        self,
        name: str,
        config: MqttConfig,
        client_id: str,
        subscribe: Sequence[str],
        will: tuple[str, bytes] | None = None,
    ) -> None:
        self.name = name
        self.counters = Counters()
        self.taken = 0
        """Messages that messages() has taken from the queue."""
        self._config = config
        self._client_id = client_id
        self._subscribe = subscribe
        self._without: Sequence[str] = ()
        self._will = will
        self._inbound: asyncio.Queue[tuple[Connection, Message]] = asyncio.Queue()
        self._connection: Connection | None = None
        """Publishes, from CONNACK on: a broker delivers what waited before it sends SUBACK."""
        self._ready: Connected[Connection] = Connected()
        """The same, once every subscription is accepted."""
        self._runner: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and every subscription."""
        return self._ready.now is not None

    @property
    def waiting(self) -> int:
        """Messages received that nobody has taken yet."""
        return self._inbound.qsize()

    @property
    def version5(self) -> bool:
        """Whether MQTT 5 is spoken."""
        return self._config.version5

    async def __aenter__(self) -> Self:
        self._runner = asyncio.create_task(self._run(), name=f"mqtt {self.name}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        self._runner.cancel()
        with suppress(asyncio.CancelledError):
            await self._runner

    async def wait_connected(self) -> None:
        """Returns as soon as there is a connection."""
        await self._ready.next()

    async def supervise(self) -> None:
        """Returns never; raises what ended the connection keeper, which would be a defect."""
        assert self._runner is not None
        await asyncio.shield(self._runner)

    async def messages(self) -> AsyncIterator[Message]:
        """What the broker delivers, in its order, across reconnects.

        Messages of a connection that has ended are left out: the broker delivers them again.
        """
        while True:
            connection, message = await self._inbound.get()
            self.taken += 1
            connection.resume(self._inbound.qsize())
            if not connection.lost.done():
                yield message

    async def listen_to(self, subscribe: Sequence[str], without: Sequence[str]) -> None:
        """Take `subscribe` from here on, and on every connect, and `without` no more: the session
        at the broker would keep them. What matches both filters of before and of now comes all the
        while. Raises DisconnectedError; then it is done at the next connect."""
        self._subscribe, self._without = subscribe, without
        if (connection := self._ready.now) is not None:
            # Both at once: the answer to the first may stand behind all that the second keeps away.
            try:
                await asyncio.gather(
                    connection.subscribe(subscribe), connection.unsubscribe(without)
                )
            except DisconnectedError as error:
                connection.give_up(str(error))  # or there would be no next connect
                raise

    @property
    def connection(self) -> int:
        """Which connection this is since the start, 1 first; 0 while there is none."""
        return self.counters.connects if self.connected else 0

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_s: int | None = None,
        correlation: bytes | None = None,
    ) -> None:
        """Publish at QoS 1; returns on the broker's PUBACK, raises DisconnectedError without it.
        With MQTT 5 the broker forgets it after `expiry_s`; `correlation` is the request's."""
        await self._publishing().send(topic, payload, retain, expiry_s, correlation)

    def send(
        self, topic: str, payload: bytes, correlation: bytes | None = None, *, retain: bool = False
    ) -> asyncio.Future[None]:
        """Publish at QoS 1 without waiting for the PUBACK; raises DisconnectedError, and so does
        the future, which is done at the PUBACK.

        For answers to messages: their handlers must not wait for a PUBACK that may stand behind
        hundreds of messages, unread until handlers are done. A message's PUBACK, sent after its
        answer, arrives after it.
        """
        return self._publishing().send(topic, payload, retain, correlation=correlation)

    async def while_connected(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` once on every connection, from its start; cancel it when that ends.

        Returns never. A DisconnectedError out of `work` only ends that run; all else is raised.
        """
        await self._ready.while_connected(lambda _connection: work())

    def _publishing(self) -> Connection:
        if self._connection is None:
            raise DisconnectedError(f"no connection to the {self.name}")
        return self._connection

    async def _run(self) -> None:
        attempt = 0
        while True:
            connection = Connection(self._inbound, self.counters)
            try:
                await connection.open(self._config, self._client_id, self._will)
                self._connection = connection
                await connection.subscribe(self._subscribe)
                await connection.unsubscribe(self._without)
            except DisconnectedError as error:
                self._connection = None
                connection.close()
                self.counters.failures += 1
                self._report(str(error))
                await asyncio.sleep(retry_delay(attempt))
                attempt += 1
                continue
            except BaseException:
                self._connection = None
                connection.close()
                raise
            started = time.monotonic()
            self.counters.connects += 1
            self.counters.last_error = ""
            log.info("connected to the %s", self.name)
            await self._ready.set(connection)
            try:
                await connection.watch()
            except DisconnectedError as error:
                self._report(str(error))
            finally:
                self._connection = None
                connection.close()
                await self._ready.set(None)
            attempt = 0 if time.monotonic() - started > STABLE_S else attempt + 1
            await asyncio.sleep(retry_delay(attempt))

    def _report(self, error: str) -> None:
        """A broker that is down for hours is one log line, not thousands."""
        if error != self.counters.last_error:
            log.warning("%s: %s; trying again", self.name, error)
        self.counters.last_error = self.counters.last_loss = error


def retry_delay(attempt: int, draw: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds to wait after failure number `attempt` (0 first): full jitter under a doubling cap.

    The cap starts at 1 s and ends at 30 s; see "Exponential Backoff And Jitter", AWS 2015.
    """
    return draw(0.0, min(RETRY_MAX_S, RETRY_MIN_S * 2.0 ** min(attempt, 10)))
