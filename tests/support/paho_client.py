"""A plain paho client that remembers what it received: the hall system or a device in a test.

Only MQTT belongs here, no topic of ours. It shares no code with the gateway, so that a test which
uses it checks the wire and not our own idea of it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

WAIT_S = 60.0


@dataclass(frozen=True)
class Received:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool


class PlainClient:
    """`with PlainClient(port, ["a/#"], name="hall") as client:` connects, subscribes at QoS 1.

    Reconnects by itself. `keep` makes the session persistent. `received` holds every message in
    order of arrival.
    """

    def __init__(
        self,
        port: int,
        subscribe: Sequence[str] = (),
        *,
        name: str,
        keep: bool = False,
        will: tuple[str, bytes] | None = None,
    ) -> None:
        self.received: list[Received] = []
        self._port = port
        self._subscribe = subscribe
        self._news = threading.Condition()
        self._ready = threading.Event()
        self._paho = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, clean_session=not keep
        )
        self._paho.reconnect_delay_set(min_delay=1, max_delay=1)
        if will:
            self._paho.will_set(will[0], will[1], qos=1, retain=True)
        self._paho.on_socket_open = lambda _client, _user, sock: sock.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        self._paho.on_connect = self._on_connect
        self._paho.on_subscribe = lambda *_: self._ready.set()
        self._paho.on_disconnect = lambda *_: self._ready.clear()
        self._paho.on_message = self._on_message

    def __enter__(self) -> PlainClient:
        self._paho.connect("127.0.0.1", self._port, keepalive=30)
        self._paho.loop_start()
        assert self._ready.wait(WAIT_S), "the client was not subscribed in time"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()

    def vanish(self) -> None:
        """End without DISCONNECT, as a crash does: the broker publishes the will."""
        sock = self._paho.socket()
        assert sock is not None
        self._paho.loop_stop()
        sock.close()

    def await_connected(self) -> None:
        """Wait until connected and subscribed, for example after the broker was restarted."""
        assert self._ready.wait(WAIT_S), "the client did not come back in time"

    def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Publish at QoS 1 and wait for the PUBACK."""
        info = self._paho.publish(topic, payload, qos=1, retain=retain)
        info.wait_for_publish(WAIT_S)
        assert info.is_published(), f"no PUBACK for {topic}"

    def publish_soon(self, topic: str, payload: bytes | str) -> None:
        """Publish at QoS 1; paho sends it again until the broker has it."""
        self._paho.publish(topic, payload, qos=1)

    def until(self, holds: Callable[[], bool], seconds: float = WAIT_S) -> bool:
        """Wait until `holds`, looked at after every message; False when the time is over."""
        with self._news:
            return self._news.wait_for(holds, seconds)

    def wait(
        self, found: Callable[[Received], bool], *, count: int = 1, seconds: float = WAIT_S
    ) -> list[Received]:
        """The messages for which `found` holds, once there are at least `count` of them."""

        def matching() -> list[Received]:
            return [message for message in self.received if found(message)]

        topics = [message.topic for message in self.received[-20:]]
        enough = self.until(lambda: len(matching()) >= count, seconds)
        assert enough, f"{len(matching())} of {count} in {seconds} s; last topics: {topics}"
        return matching()

    def on_topic(self, topic: str, *, count: int = 1, seconds: float = WAIT_S) -> list[Received]:
        """The messages on exactly `topic`, once there are at least `count`."""
        return self.wait(lambda message: message.topic == topic, count=count, seconds=seconds)

    def _on_connect(self, client: paho.Client, _user: Any, _flags: Any, *_: Any) -> None:
        if self._subscribe:
            client.subscribe([(topic, 1) for topic in self._subscribe])
        else:
            self._ready.set()

    def _on_message(self, _client: Any, _user: Any, message: paho.MQTTMessage) -> None:
        received = Received(
            message.topic, bytes(message.payload), message.qos, message.retain, message.dup
        )
        with self._news:
            self.received.append(received)
            self._news.notify_all()
