"""A plain paho client that plays the gateway: takes events, acks them, keeps what it saw.

For tests of the device's side against a real broker. It commits to memory only; what a gateway does
with events is not here.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


class StandinGateway:
    """`with StandinGateway(port) as gateway:`; what came is looked at with wait()."""

    def __init__(self, port: int) -> None:
        self.bodies: dict[tuple[str, int, int], bytes] = {}  # (device, epoch, seq) -> payload
        self.events = 0  # how many came, repeats included
        self.committed: dict[str, int] = {}  # device -> contiguous seq
        self.online: dict[str, list[bytes]] = {}  # device -> each announcement
        self.states: dict[str, dict[str, Any]] = {}
        self.on_new_event: Callable[[], object] = lambda: None  # called in paho's thread
        self._port = port
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe

    def __enter__(self) -> StandinGateway:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._ready.wait(60), "the broker did not grant the subscription"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, device: str, name: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish on a device's down tree, and wait for the broker's PUBACK."""
        topic = f"device/v1/{device}/down/{name}"
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(60)

    def wait(self, condition: Callable[[], bool], within_s: float = 60.0) -> None:
        """Block until the condition holds; it is looked at after each message."""
        with self._changed:
            held = self._changed.wait_for(lambda: self._error is not None or condition(), within_s)
        if self._error is not None:
            raise self._error
        assert held, f"not within {within_s} s"

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe("device/v1/+/up/#", qos=1)

    def _on_subscribe(self, *_: object) -> None:
        self._ready.set()

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        _, _, device, _, name = message.topic.split("/")
        with self._changed:
            try:
                self._take(device, name, bytes(message.payload))
            except BaseException as error:
                self._error = error
            self._changed.notify_all()

    def _take(self, device: str, name: str, payload: bytes) -> None:
        if name == "event":
            event = json.loads(payload)
            self.events += 1
            identity = (device, event["epoch"], event["seq"])
            is_new = identity not in self.bodies
            assert self.bodies.setdefault(identity, payload) == payload, f"{identity} has changed"
            mark = self.committed.get(device, 0)
            while (device, event["epoch"], mark + 1) in self.bodies:
                mark += 1
            self.committed[device] = mark
            self._ack(device, event["epoch"])
            if is_new:
                self.on_new_event()
        elif name == "state":
            self.states[device] = json.loads(payload)
            self._ack(device, self.states[device]["journal"]["epoch"])
        elif name == "online":
            self.online.setdefault(device, []).append(payload)

    def _ack(self, device: str, epoch: int) -> None:
        now = time.time_ns() // 1_000_000
        ack = {"epoch": epoch, "seq": self.committed.get(device, 0), "now": now}
        self._client.publish(f"device/v1/{device}/down/ack", json.dumps(ack), qos=1)
