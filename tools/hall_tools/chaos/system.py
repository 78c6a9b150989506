"""The hall system of the run: an MQTT client that calls tickets and remembers every event.

Here: the hall side's contract as a stranger reads it, over a session that lasts. Not here: what it
calls when (people.py), and whether what came is right (truth.py).
"""

import asyncio
import contextlib
import itertools
import json
from collections import Counter
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from hall_tools.chaos.places import HALL, HOST
from hall_tools.demo.changes import Changes
from hall_tools.demo.hall_client import send_at_once

ASK_AGAIN_S = 5.0
"""A command that is not answered by then goes again, with the same id: its effect is one."""

_ROOT = f"hall/v1/{HALL}/"
_MARKER = "chaos/marker"


class HallSystem:
    """`async with HallSystem(port)`: it has subscribed inside, and survives all that fails."""

    def __init__(self, port: int) -> None:
        self.bodies: dict[str, list[bytes]] = {}
        """By id, the different bodies that came; one, unless something is wrong."""
        self.again = 0
        """How often an event came again with the same bytes, as the contract allows."""
        self.types: Counter[str] = Counter()
        self.arrived = 0
        self.states: dict[str, dict[str, Any]] = {}
        self.gateway_online = False
        self.changes = Changes()
        self.asked_again = 0
        self.session_lost = 0
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._markers: dict[bytes, asyncio.Event] = {}
        self._subscribed = asyncio.Event()
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="hall-system", clean_session=False
        )
        client.on_socket_open = send_at_once
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 2)
        self._client = client

    async def __aenter__(self) -> "HallSystem":
        self._client.connect_async(HOST, self._port, keepalive=10)
        self._client.loop_start()
        await self._subscribed.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def forgotten(self) -> None:
        """Its broker has gone, and will know nothing of its session."""
        self._subscribed.clear()

    async def subscribed(self) -> None:
        """Returns when its broker has taken its subscriptions."""
        await self._subscribed.wait()

    async def command(self, name: str, **fields: Any) -> dict[str, Any]:
        """The reply, however long it takes."""
        id = f"c-{next(self._ids)}"
        answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._waiting[id] = answer
        body = json.dumps({"id": id, **fields}, ensure_ascii=False)
        try:
            while True:
                self._client.publish(f"{_ROOT}command/{name}", body, qos=1)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ASK_AGAIN_S):
                        return await asyncio.shield(answer)
                self.asked_again += 1
        finally:
            del self._waiting[id]

    async def caught_up(self) -> None:
        """Returns when everything that the broker had for it at this moment has come.

        A broker hands on in order to each subscriber. A first marker of our own makes sure that
        the broker has looked at what was in its sockets, a second one comes after all of that.
        """
        for _ in range(2):
            name = f"m-{next(self._ids)}".encode()
            self._markers[name] = seen = asyncio.Event()
            while not seen.is_set():
                self._client.publish(_MARKER, name, qos=1)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ASK_AGAIN_S):
                        await seen.wait()
            del self._markers[name]

    def online(self, device: str) -> bool:
        """Whether the gateway says so."""
        return self.states.get(device, {}).get("online") is True

    def reported(self, device: str) -> dict[str, Any]:
        """The state that the device reported last."""
        return self.states.get(device, {}).get("state") or {}

    def _on_connect(
        self, client: paho.Client, _data: object, flags: Any, reason: Any, _props: object
    ) -> None:
        if reason.is_failure:
            return
        if not flags.session_present:
            self.session_lost += 1
        branches = ("event/#", "reply/+", "state/+", "online")
        client.subscribe([*((_ROOT + branch, 1) for branch in branches), (_MARKER, 1)])

    def _on_disconnect(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._subscribed.clear)

    def _on_subscribe(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._subscribed.set)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        # What comes after the loop has ended is not for this run.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._take, message.topic, bytes(message.payload))

    def _take(self, topic: str, payload: bytes) -> None:
        branch, _, rest = topic.removeprefix(_ROOT).partition("/")
        if topic == _MARKER:
            if seen := self._markers.get(payload):
                seen.set()
        elif branch == "event":
            self._event(payload)
        elif branch == "reply":
            if (answer := self._waiting.get(rest)) and not answer.done():
                answer.set_result(json.loads(payload))
        elif branch == "state":
            self.states[rest] = json.loads(payload)
        elif branch == "online":
            self.gateway_online = payload == b"1"
        self.changes.notify()

    def _event(self, payload: bytes) -> None:
        body = json.loads(payload)
        bodies = self.bodies.setdefault(body["id"], [])
        self.arrived += 1
        if payload in bodies:
            self.again += 1
            return
        if not bodies:
            self.types[body["type"]] += 1
        bodies.append(payload)
