"""One MQTT 3.1.1 or 5 connection on asyncio's loop: with mqtt_socket.py, all that knows paho.

paho connects, subscribes and keeps alive, and does all of MQTT 5. A PUBLISH or PUBACK of 3.1.1,
which is what a busy hall's connection has, is read and written here (mqtt_packets.py).

Here: connecting, subscribing, publishing, and how a connection ends. Not here: when the socket is
read (mqtt_wire.py), its bytes (mqtt_socket.py), messages that come (mqtt_arrivals.py), what waits
for a PUBACK (mqtt_window.py), when to connect again (mqtt.py), topics and what they mean.

Each connection has a fresh paho client, so nothing is resent behind the caller's back: a publish
that has no PUBACK when the connection ends raises DisconnectedError, and what must survive that is
resent from the store. Memory is bounded by not reading the socket while INBOUND_LIMIT messages
wait: mosquitto 2.0.11 does not keep to a receive window. paho does its protocol on the event
loop's thread; only resolving and connecting use another.
"""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from hall_gateway import mqtt_packets
from hall_gateway.config_links import MqttConfig
from hall_gateway.mqtt5 import (
    NO_MATCHING_SUBSCRIBERS,
    connect_properties,
    publish_properties,
    quota,
)
from hall_gateway.mqtt_arrivals import Arrivals
from hall_gateway.mqtt_message import Counters, DisconnectedError, Message
from hall_gateway.mqtt_socket import MAX_PACKET, BufferedClient, BufferedSocket
from hall_gateway.mqtt_window import FIRST, LAST, Window
from hall_gateway.mqtt_wire import Wire

INBOUND_LIMIT = 500
"""Messages that wait for a handler before the socket is no longer read."""
KEEPALIVE_S = 30
CONNECT_TIMEOUT_S = 5.0
"""For TCP and TLS, and again for CONNACK and SUBACK."""
PUBACK_TIMEOUT_S = 20.0
"""A broker that is read and owes a PUBACK for longer is given up: the connection is closed."""

Inbound: TypeAlias = "asyncio.Queue[tuple[Connection, Message]]"


class Connection:
    """One TCP connection with its own paho client; `lost` is done, without an error, at its end."""

    def __init__(self, inbound: Inbound, counters: Counters) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._why = "closed"
        self._counters = counters
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self._window = Window()
        self._wire = Wire(
            self._take,
            lambda: inbound.qsize() >= INBOUND_LIMIT,
            self._paho_writes,
            self._paho_reads,
        )
        self._arrivals = Arrivals(
            counters,
            lambda message: inbound.put_nowait((self, message)),
            self._wire.send,
            lambda: self.give_up("a message could not be answered"),
        )
        self._client: paho.Client | None = None

    async def open(
        self, config: MqttConfig, client_id: str, will: tuple[str, bytes] | None
    ) -> None:
        """Connect and wait for CONNACK; raises DisconnectedError saying what went wrong. Nothing
        that comes after it is read before this returns: only then can it be answered."""
        client = self._client = self._make_client(client_id, config.version5)
        if username := config.username:
            client.username_pw_set(username, config.password())
        if will:
            client.will_set(will[0], will[1], qos=1, retain=True)
        where = f"{config.host}:{config.port}"
        try:
            if config.tls:
                client.tls_set_context(  # pyright: ignore[reportUnknownMemberType]
                    ssl.create_default_context(cafile=config.ca_file)
                )
            connect = partial(client.connect, config.host, config.port, KEEPALIVE_S)
            if config.version5:
                connect = partial(connect, clean_start=False, properties=connect_properties())
            connecting = asyncio.create_task(asyncio.to_thread(connect))
            try:
                await asyncio.shield(connecting)
            except asyncio.CancelledError:
                await asyncio.wait((connecting,))  # a thread cannot be cancelled
                raise
        except (OSError, UnicodeError) as error:  # a host name that cannot be one
            raise DisconnectedError(f"cannot connect to {where}: {error}") from None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._accepted
        except TimeoutError:
            raise DisconnectedError(f"{where} does not answer CONNECT") from None
        self.resume(waiting=0)

    async def subscribe(self, filters: Sequence[str]) -> None:
        """Subscribe at QoS 1 and wait for SUBACK; raises DisconnectedError when any is refused."""
        if not filters:
            return
        client = self._live()
        _, mid = client.subscribe([(topic, 1) for topic in filters])
        await self._answered(mid, "no SUBACK")

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        """Unsubscribe and wait for UNSUBACK; raises DisconnectedError."""
        if not filters:
            return
        _, mid = self._live().unsubscribe(list(filters))
        await self._answered(mid, "no UNSUBACK")

    def send(
        self,
        topic: str,
        payload: bytes,
        retain: bool = False,
        expiry_s: int | None = None,
        correlation: bytes | None = None,
    ) -> asyncio.Future[None]:
        """Publish as soon as the broker allows one more; the future is done at the PUBACK, with
        DisconnectedError without it. `expiry_s` and `correlation` only reach it with MQTT 5."""
        client = self._live()
        if not self._version5:
            return self._window.send(lambda: self._publish(topic, payload, retain))
        properties = publish_properties(expiry_s, correlation)
        publish = partial(
            client.publish, topic, payload, qos=1, retain=retain, properties=properties
        )
        return self._window.send(lambda: publish().mid)

    def _publish(self, topic: str, payload: bytes, retain: bool) -> int:
        mid = self._window.identifier()
        self._wire.send(mqtt_packets.publish(topic, payload, retain, mid))
        return mid

    async def watch(self) -> None:
        """Keep the connection alive until it ends; raises DisconnectedError saying why it did."""
        assert self._client is not None
        while not self.lost.done():
            if not self._wire.paused:  # else what is awaited may have come, unread
                self._client.loop_misc()
                oldest = self._window.oldest
                waited = 0.0
                if oldest is not None:
                    waited = time.monotonic() - max(oldest, self._wire.resumed)
                if waited > PUBACK_TIMEOUT_S:
                    raise DisconnectedError(f"a PUBACK is missing for {PUBACK_TIMEOUT_S:.0f} s")
            await asyncio.wait((self.lost,), timeout=1.0)
        raise DisconnectedError(f"connection lost: {self._why}")

    def close(self) -> None:
        """End the connection without a DISCONNECT, which would keep the will from being published:
        whoever ends in order has said so in a message, and a crash must not look like that."""
        sock = self._wire.socket
        if self._client is not None and not self.lost.done():
            self._wire.write()  # PUBACKs that wait to be written
        self._end("closed")
        if sock is not None:
            self._wire.forget(sock)
            sock.close()
        if self._client is not None:
            self._client.on_socket_close = None  # paho calls it once more when it is collected

    def give_up(self, why: str) -> None:
        """End the connection, so that there is another."""
        self._end(why)
        self.close()

    def resume(self, waiting: int) -> None:
        """Read the socket again when few messages wait."""
        if waiting <= INBOUND_LIMIT // 2:
            self._wire.resume()

    def _live(self) -> paho.Client:
        """The client of a connection that has not ended; raises DisconnectedError."""
        assert self._client is not None
        if self.lost.done():
            raise DisconnectedError(self._why)
        return self._client

    async def _answered(self, mid: int | None, otherwise: str) -> None:
        """When a request is answered. The answer may stand behind all that waited at the broker:
        time counts while nothing comes, though it is read."""
        if mid is None:  # paho has noticed the end just now
            raise DisconnectedError(self._why)
        if (
            mid >= FIRST and not self._version5
        ):  # after a thousand changes: from here on they are the window's
            raise DisconnectedError("no packet identifier is left for a subscription")
        answer = self._window.expect(mid)
        while not answer.done():
            await asyncio.wait((answer,), timeout=CONNECT_TIMEOUT_S)
            silent = time.monotonic() - self._wire.heard >= CONNECT_TIMEOUT_S
            if not answer.done() and silent and not self._wire.paused:
                raise DisconnectedError(otherwise)
        answer.result()

    def _make_client(self, client_id: str, version5: bool) -> paho.Client:
        self._version5 = version5
        client = BufferedClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv5 if version5 else paho.MQTTv311,
            clean_session=None if version5 else False,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # callers bound their own windows
        client.on_socket_open = lambda _c, _u, sock: self._on_loop(self._wire.watch, sock)
        client.on_socket_close = lambda _c, _u, sock: self._on_loop(self._wire.forget, sock)
        client.on_socket_register_write = lambda _c, _u, sock: self._on_loop(
            lambda _sock: self._wire.want_write(), sock
        )
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = lambda _c, _u, mid, _r, _p: self._window.confirm(mid)
        client.on_publish = lambda _c, _u, mid, reason, _p: self._on_publish(mid, reason)
        client.on_disconnect = lambda _c, _u, _f, reason, _p: self._end(str(reason))
        client.on_message = self._on_message
        return client

    def _on_loop(self, call: Callable[[Any], object], sock: Any) -> None:
        """paho opens its socket on the connecting thread, and does everything else on the loop."""
        if threading.get_ident() == self._thread:
            call(sock)
        else:
            self._loop.call_soon_threadsafe(call, sock)

    def _take(self, sock: BufferedSocket, packet: bytes) -> None:
        if not self._version5:
            if (arrived := mqtt_packets.arrived(packet)) is not None:
                if _is_cut(packet):
                    self._arrivals.cut(arrived, packet)
                else:
                    self._arrivals.take(arrived)
                return
            if (mid := mqtt_packets.confirmed(packet)) is not None:
                self._confirm(mid)
                return
        if _is_cut(packet):
            self._end(f"the broker sends a packet of over {MAX_PACKET} bytes that is no message")
            return
        sock.give(packet)
        self._paho_reads()

    def _paho_writes(self) -> None:
        if self._client is not None and self._client.want_write():
            self._client.loop_write()

    def _paho_reads(self) -> None:
        assert self._client is not None
        self._client.loop_read()

    def _on_connect(
        self, _client: Any, _user: Any, _flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        if self._accepted.done():
            return
        self._window.quota = min(quota(properties), LAST - FIRST)
        if reason.is_failure:
            self._accepted.set_exception(DisconnectedError(f"the broker refuses: {reason}"))
        else:
            self._accepted.set_result(None)
            self._wire.pause()

    def _on_subscribe(
        self, _client: Any, _user: Any, mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        refused = any(reason.is_failure for reason in reasons)
        error = DisconnectedError("the broker refuses a subscription; check its access list")
        self._window.confirm(mid, error if refused else None)

    def _on_message(self, client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        self._arrivals.take_from_paho(client, message, self._version5)

    def _on_publish(self, mid: int, reason: ReasonCode) -> None:
        if reason.is_failure:  # it would only be refused again on this connection
            self._end(f"the broker refuses a message: {reason}")
            return
        if reason.value == NO_MATCHING_SUBSCRIBERS:
            self._counters.unheard += 1
        self._confirm(mid)

    def _confirm(self, mid: int) -> None:
        self._window.confirm(mid)
        if not self.lost.done():
            self._window.send_held()

    def _end(self, why: str) -> None:
        if self.lost.done():
            return
        self._why = why
        self.lost.set_result(None)
        self._arrivals.end()
        self._window.end(DisconnectedError(why))
        if not self._accepted.done():
            self._accepted.set_exception(DisconnectedError(why))
            self._accepted.exception()  # nobody may be waiting for it any more


def _is_cut(packet: bytes) -> bool:
    """Whether it was larger, see BufferedSocket.packet()."""
    return len(packet) >= MAX_PACKET and mqtt_packets.end(packet, 0) != len(packet)
