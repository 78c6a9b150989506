"""The hall system's side of the wire: a plain MQTT client that knows only the published contract.

Here: connecting, commands with their replies, and what arrives, with the moment of its arrival. Not
here: what a queue system does with it (world.py), and nothing of the gateway's own code.
"""

import asyncio
import itertools
import json
import socket
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

REPLY_S = 5.0
"""How long a reply may take until the command counts as failed."""

Handler = Callable[[str, bytes, float], None]
"""Called in the event loop with topic below `hall/v1/{hall}/`, payload, and monotonic arrival s."""


class CommandError(Exception):
    """A command was refused, or nobody answered."""


class HallClient:
    """`async with HallClient(...)`: connected and subscribed inside, gone outside."""

    def __init__(self, host: str, port: int, hall: str, handler: Handler) -> None:
        self._root = f"hall/v1/{hall}/"
        self._address = host, port
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._subscribed = asyncio.Event()
        # The broker keeps what arrives while this client is away, as for any hall system.
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="queue-system", clean_session=False
        )
        client.on_socket_open = send_at_once
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 1)
        self._client = client

    async def __aenter__(self) -> "HallClient":
        await _listening(*self._address)
        self._client.connect_async(*self._address, keepalive=20)
        self._client.loop_start()
        await self._subscribed.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    async def command(self, name: str, **fields: Any) -> dict[str, Any]:
        """The reply to the command. Raises CommandError with the gateway's own words."""
        command_id = f"q-{next(self._ids)}"
        answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._waiting[command_id] = answer
        body = json.dumps({"id": command_id, **fields}, ensure_ascii=False)
        self._client.publish(f"{self._root}command/{name}", body, qos=1)
        try:
            async with asyncio.timeout(REPLY_S):
                reply = await answer
        except TimeoutError:
            raise CommandError(f"{name} {fields}: no reply for {REPLY_S:g} s") from None
        finally:
            del self._waiting[command_id]
        if reply.get("ok") is not True:
            raise CommandError(f"{name} {fields}: {reply.get('error')}")
        return reply

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, reason: Any, _props: object
    ) -> None:
        if not reason.is_failure:
            client.subscribe([(self._root + branch, 1) for branch in ("event/#", "reply/+")])
            client.subscribe([(self._root + branch, 1) for branch in ("state/+", "online")])

    def _on_subscribe(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._subscribed.set)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        now = time.monotonic()
        topic = message.topic.removeprefix(self._root)
        self._loop.call_soon_threadsafe(self._received, topic, bytes(message.payload), now)

    def _received(self, topic: str, payload: bytes, now: float) -> None:
        branch, _, command_id = topic.partition("/")
        if branch == "reply" and (answer := self._waiting.get(command_id)) and not answer.done():
            answer.set_result(json.loads(payload))
        self._handler(topic, payload, now)


def send_at_once(_client: object, _data: object, sock: Any) -> None:
    """For a client's on_socket_open: no small packet waits for another."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def _listening(host: str, port: int) -> None:
    """Returns when somebody listens there."""
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return
