"""One MQTT 3.1.1 or 5 connection on asyncio's loop: with mqtt_socket.py, all that knows paho.

paho connects, subscribes and keeps alive, and does all of MQTT 5. A PUBLISH or PUBACK of 3.1.1,
which is what a busy hall's connection has, is read and written here (mqtt_packets.py).

Here: connecting, subscribing, PUBACKs both ways, and how a connection ends. Not here: the socket's
bytes (mqtt_socket.py), what waits for a PUBACK (mqtt_window.py), when to connect again (mqtt.py),
topics and what they mean.

Each connection has a fresh paho client, so nothing is resent behind the caller's back: a publish
that has no PUBACK when the connection ends raises DisconnectedError, and what must survive that is
resent from the store. Memory is bounded by not reading the socket while INBOUND_LIMIT messages
wait: mosquitto 2.0.11 does not keep to a receive window. paho does its protocol on the event
loop's thread; only resolving and connecting use another.
"""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from hall_gateway import mqtt_packets
from hall_gateway.config_links import MqttConfig
from hall_gateway.mqtt5 import (
    NO_MATCHING_SUBSCRIBERS,
    NONE,
    Extras,
    connect_properties,
    extras,
    publish_properties,
    quota,
)
from hall_gateway.mqtt_socket import BufferedClient, BufferedSocket
from hall_gateway.mqtt_window import FIRST, LAST, Window

INBOUND_LIMIT = 500
"""Messages that wait for a handler before the socket is no longer read."""
KEEPALIVE_S = 30
CONNECT_TIMEOUT_S = 5.0
"""For TCP and TLS, and again for CONNACK and SUBACK."""
PUBACK_TIMEOUT_S = 20.0
"""A broker that owes a PUBACK for longer is given up: the connection is closed."""
STALL_S = 0.5
"""From here on the loop's own lateness is no load, but a process that was stopped, or a machine
that slept: then messages have waited at the broker as while there was no connection."""


class DisconnectedError(Exception):
    """The connection ended, or there is none; what was underway has not been confirmed."""


@dataclass(slots=True)
class Message:
    """A message from the broker; `ack` tells the broker that it need not be delivered again.

    Not frozen: one is made for every message, and that would take three times as long.
    """

    topic: str
    payload: bytes
    retain: bool
    ack: Callable[[], object] = field(repr=False)
    """Sends the PUBACK; does nothing once the connection is gone, for then it comes again."""
    abandon: Callable[[], object] = field(repr=False)
    """Ends the connection that brought it, so that it comes again: a broker does not redeliver on
    a connection that lives, and stops when too many PUBACKs are missing."""
    extras: Extras = NONE
    """What MQTT 5 brought with it."""


@dataclass
class Counters:
    """What an operator wants to know of one connection; counts since the start."""

    connects: int = 0
    failures: int = 0
    bad_topics: int = 0
    last_error: str = ""
    last_loss: str = ""
    """Why there was no connection the last time there was none."""
    unheard: int = 0
    """Messages that nobody had subscribed to, as far as a broker says so (MQTT 5)."""


Inbound: TypeAlias = "asyncio.Queue[tuple[Connection, Message]]"


class Connection:
    """One TCP connection with its own paho client; `lost` is done, without an error, at its end."""

    def __init__(self, inbound: Inbound, counters: Counters) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.stalled = 0.0
        """When this process last went on after it had stood still (time.monotonic())."""
        self._why = "closed"
        self._inbound = inbound
        self._counters = counters
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self._window = Window()
        self._socket: BufferedSocket | None = None
        self._paused = False
        self._writing = False  # with the end of this turn of the loop
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
        await self._within_timeout(self._accepted, f"{where} does not answer CONNECT")
        self.resume(waiting=0)

    async def subscribe(self, filters: Sequence[str]) -> None:
        """Subscribe at QoS 1 and wait for SUBACK; raises DisconnectedError when any is refused."""
        if not filters:
            return
        assert self._client is not None
        _, mid = self._client.subscribe([(topic, 1) for topic in filters])
        assert mid is not None
        await self._within_timeout(self._window.expect(mid), "no SUBACK")

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        """Unsubscribe and wait for UNSUBACK; raises DisconnectedError."""
        if not filters:
            return
        assert self._client is not None
        _, mid = self._client.unsubscribe(list(filters))
        assert mid is not None
        await self._within_timeout(self._window.expect(mid), "no UNSUBACK")

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
        assert self._client is not None
        if self.lost.done():
            raise DisconnectedError(self._why)
        if not self._version5:
            return self._window.send(lambda: self._publish(topic, payload, retain))
        properties = publish_properties(expiry_s, correlation)
        publish = partial(
            self._client.publish, topic, payload, qos=1, retain=retain, properties=properties
        )
        return self._window.send(lambda: publish().mid)

    def _publish(self, topic: str, payload: bytes, retain: bool) -> int:
        mid = self._window.identifier()
        self._queue(mqtt_packets.publish(topic, payload, retain, mid))
        return mid

    async def watch(self) -> None:
        """Keep the connection alive until it ends; raises DisconnectedError saying why it did."""
        assert self._client is not None
        while not self.lost.done():
            self._client.loop_misc()
            oldest = self._window.oldest
            if oldest is not None and time.monotonic() - oldest > PUBACK_TIMEOUT_S:
                raise DisconnectedError(f"a PUBACK is missing for {PUBACK_TIMEOUT_S:.0f} s")
            before = time.monotonic()
            await asyncio.wait((self.lost,), timeout=1.0)
            if time.monotonic() - before > 1.0 + STALL_S:
                self.stalled = time.monotonic()
        raise DisconnectedError(f"connection lost: {self._why}")

    def close(self) -> None:
        """End the connection without a DISCONNECT, which would keep the will from being published:
        whoever ends in order has said so in a message, and a crash must not look like that."""
        sock = self._socket
        if self._client is not None and not self.lost.done():
            self._write()  # PUBACKs that wait to be written
        self._end("closed")
        if sock is not None:
            self._forget_socket(sock)
            sock.close()
        if self._client is not None:
            self._client.on_socket_close = None  # paho calls it once more when it is collected

    def _pause(self) -> None:
        """Read nothing more until resume()."""
        if self._socket is not None:
            self._paused = True
            self._loop.remove_reader(self._socket)

    def resume(self, waiting: int) -> None:
        """Read the socket again when few messages wait."""
        if self._paused and self._socket is not None and waiting <= INBOUND_LIMIT // 2:
            self._paused = False
            self._loop.add_reader(self._socket, self._read)
            self._loop.call_soon(self._read)  # what has been received makes no socket readable

    async def _within_timeout(self, confirmed: asyncio.Future[None], otherwise: str) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await confirmed
        except TimeoutError:
            raise DisconnectedError(otherwise) from None

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
        client.on_socket_open = lambda _c, _u, sock: self._on_loop(self._watch_socket, sock)
        client.on_socket_close = lambda _c, _u, sock: self._on_loop(self._forget_socket, sock)
        client.on_socket_register_write = lambda _c, _u, sock: self._on_loop(self._want_write, sock)
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

    def _watch_socket(self, sock: BufferedSocket) -> None:
        sock.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.attach(self._loop)
        self._socket = sock
        self._loop.add_reader(sock, self._read)

    def _forget_socket(self, sock: BufferedSocket) -> None:
        self._socket = None
        if sock.fileno() >= 0:
            self._loop.remove_reader(sock)
            self._loop.remove_writer(sock)

    def _queue(self, packet: bytes) -> None:
        """Send `packet` together with whatever else this turn of the loop has to say."""
        if self._socket is not None:
            self._socket.send(packet)
            self._want_write(self._socket)

    def _want_write(self, _sock: BufferedSocket) -> None:
        if not self._writing:
            self._writing = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        self._writing = False
        if self._client is not None and self._client.want_write():
            self._client.loop_write()
        if self._socket is not None:
            self._socket.flush()

    def _read(self) -> None:
        sock = self._socket
        if sock is None or self._paused:
            return  # since this turn of the loop was planned
        asked = False
        while not self._paused:
            packet = sock.packet()
            if packet is not None:
                self._take(sock, packet)
            elif not asked or sock.decrypted():
                sock.receive()
                asked = True
            else:
                break
            if sock is not self._socket:
                return  # what came has ended the connection
            if self._inbound.qsize() >= INBOUND_LIMIT:
                self._pause()
        if sock.ended and not self._paused:
            self._paho_reads()

    def _take(self, sock: BufferedSocket, packet: bytes) -> None:
        if not self._version5:
            if (arrived := mqtt_packets.arrived(packet)) is not None:
                self._arrived(arrived)
                return
            if (mid := mqtt_packets.confirmed(packet)) is not None:
                self._confirm(mid)
                return
        sock.give(packet)
        self._paho_reads()

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
            self._pause()

    def _on_subscribe(
        self, _client: Any, _user: Any, mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        refused = any(reason.is_failure for reason in reasons)
        error = DisconnectedError("the broker refuses a subscription; check its access list")
        self._window.confirm(mid, error if refused else None)

    def _on_message(self, client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        ack = partial(self._ack, client, message)
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._counters.bad_topics += 1
            ack()
            return
        came = extras(message.properties) if self._version5 else NONE
        payload = bytes(message.payload)
        self._inbound.put_nowait(
            (self, Message(topic, payload, message.retain, ack, self._abandon, came))
        )

    def _arrived(self, came: mqtt_packets.Arrived) -> None:
        ack = partial(self._puback, came.mid)
        try:
            topic = came.topic.decode()
        except UnicodeDecodeError:
            self._counters.bad_topics += 1
            ack()
            return
        self._inbound.put_nowait(
            (self, Message(topic, came.payload, came.retain, ack, self._abandon))
        )

    def _puback(self, mid: int | None) -> None:
        if mid is not None and not self.lost.done():
            self._queue(mqtt_packets.puback(mid))

    def _ack(self, client: paho.Client, message: paho.MQTTMessage) -> None:
        if not self.lost.done():
            client.ack(message.mid, message.qos)

    def _abandon(self) -> None:
        self._end("a message could not be answered")
        self.close()

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
        self._window.end(DisconnectedError(why))
        if not self._accepted.done():
            self._accepted.set_exception(DisconnectedError(why))
            self._accepted.exception()  # nobody may be waiting for it any more
