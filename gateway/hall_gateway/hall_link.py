"""The hall-system side: `hall/v1/{hall}/…` as DESIGN's contract has it.

Here: commands to the core and replies back, states, online, and where events go. Not here: which
event is sent when (outbox_publisher.py), what a command means (core.py), the connection (mqtt.py).

What the hall system sees of events: every event at least once, at QoS 1 and never retained, in the
order of the outbox. The cursor moves, in the store, after the broker's PUBACK; when the connection
or the gateway ends between the two, up to outbox_publisher.WINDOW events are published again, in
order, with the same CloudEvents `id` and the same bytes. So the effect is exactly once for a
receiver that is idempotent on `id`. A reply to a repeated or redelivered command is the stored one,
sent again.

While the hall system is away nothing is read from the store, so memory stays flat.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from hall_gateway.config import GATEWAY_ID
from hall_gateway.core import Core
from hall_gateway.heart import Heart
from hall_gateway.mqtt import MqttClient
from hall_gateway.mqtt5 import Response
from hall_gateway.mqtt_message import DisconnectedError, Message
from hall_gateway.ordered import OrderedWorker, until_stored
from hall_gateway.outbox_publisher import OutboxPublisher
from hall_gateway.values import OutboxRow, Reply, compact
from hall_gateway.wire import one_line

log = logging.getLogger(__name__)

SINK = "hall"
STATE_EXPIRY_S = 90
"""A state that is older than this is not known to be so any more (MQTT 5)."""
STATE_INTERVAL_S = 1.0
"""Between two looks for changed states; a device reports at most once a second."""


class HallLink:
    """Routes between the core and the hall system's broker.

    `health` gives the gateway's own counts, published retained as the state of device `gateway`.
    A reply goes to the response topic of its command (MQTT 5) when that begins with one of
    `response_topics`, or a command could have us publish anything anywhere.
    """

    def __init__(
        self,
        hall: str,
        mqtt: MqttClient,
        core: Core,
        health: Callable[[], dict[str, object]],
        response_topics: tuple[str, ...] = (),
    ) -> None:
        self._root = root(hall)
        self._mqtt = mqtt
        self._core = core
        self._health = health
        self._response_topics = response_topics
        self.refused = Counter({"retained_command": 0, "defect": 0, "response_topic": 0})
        self._commands = OrderedWorker(self._command, self.refused)
        self._outbox = OutboxPublisher(core, SINK, self._send_event, self._well)

    @staticmethod
    def subscriptions(hall: str) -> list[str]:
        return [f"{root(hall)}/command/+"]

    @staticmethod
    def will(hall: str) -> tuple[str, bytes]:
        return f"{root(hall)}/online", b"0"

    async def receive(self) -> None:
        """Take commands from the broker until cancelled; `run` handles them."""
        async for message in self._mqtt.messages():
            if message.retain:  # an old order of an unknown age, found at subscribing
                self.refused["retained_command"] += 1
                log.warning("refused a retained command on %s", one_line(message.topic))
                message.ack()
                continue
            await self._commands.put(message)

    async def run(self) -> None:
        """Handle commands and publish events, late replies and states."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._commands.run())
            group.create_task(self._tell_trouble())
            group.create_task(self._outbox.settle())
            for work in (self._publish_states, self._outbox.run, self._publish_replies):
                group.create_task(self._mqtt.while_connected(work))

    async def finish(self) -> None:
        """Answer the commands received so far, let the events that are in flight end and send no
        other, and publish `online` 0: the broker sends no last will for an orderly end."""
        await self._commands.idle()
        await self._outbox.finish()
        with suppress(DisconnectedError):
            await self._mqtt.publish(f"{self._root}/online", b"0", retain=True)

    async def _command(self, messages: list[Message]) -> None:
        (message,) = messages
        name, extras = message.topic.rpartition("/")[2], message.extras
        response = self._allowed(extras.response)
        if extras.expired or response is not None:
            request = partial(
                _request, name, message.payload, response=response, expired=extras.expired
            )
            reply = await self._core.do(request, grows=True)
        else:
            reply = await self._core.command(name, message.payload)
        try:
            if reply is not None:
                where = response or Response(f"{self._root}/reply/{reply.id}")
                self._mqtt.send(where.topic, reply.body, where.correlation)
            message.ack()
        except DisconnectedError:
            message.abandon()

    def _allowed(self, response: Response | None) -> Response | None:
        if response is None:
            return None
        # A topic that nobody can publish to (MQTT 5, 3.3.2.3.5) would end the link, not the reply.
        plain = not set(response.topic) & set("+#\0")
        if plain and response.topic.startswith(self._response_topics or ("\0",)):
            return response
        self.refused["response_topic"] += 1
        if self.refused["response_topic"] == 1:
            log.warning(
                "refused a response topic that response_topics does not allow: %s",
                one_line(response.topic),
            )
        return None

    def _send_event(self, row: OutboxRow) -> asyncio.Future[None]:
        return self._mqtt.send(f"{self._root}/event/{row.topic_noun}/{row.topic_verb}", row.body)

    def _well(self) -> None:
        self._mqtt.counters.last_loss = ""

    async def _tell_trouble(self) -> None:
        """Keep in the store why the hall's broker takes nothing, while it takes nothing."""
        told: str | None = None
        while True:
            stuck = self._outbox.owed or not self._mqtt.connected
            trouble = (stuck and self._mqtt.counters.last_loss) or None
            if trouble != told:
                await until_stored(partial(self._core.sink_trouble, SINK, trouble))
                told = trouble
            await asyncio.sleep(STATE_INTERVAL_S)

    async def _publish_replies(self) -> None:
        while True:
            self._core.signals.replies.clear()
            while replies := await until_stored(self._core.replies):
                for reply in replies:
                    topic = reply.topic or f"{self._root}/reply/{reply.id}"
                    await self._mqtt.publish(topic, reply.body, correlation=reply.correlation)
                    await until_stored(partial(self._core.replied, reply.id))
            await self._core.signals.replies.wait()

    async def _publish_states(self) -> None:
        """Online first, every state at the start of a connection, and then the changed ones; with
        MQTT 5 all of them again before the broker forgets them, which it does when we are gone."""
        await self._mqtt.publish(f"{self._root}/online", b"1", retain=True)
        published: dict[str, bytes] = {}
        fresh_until = time.monotonic() + STATE_EXPIRY_S / 3
        while True:
            if self._mqtt.version5 and time.monotonic() >= fresh_until:
                published.clear()
                fresh_until = time.monotonic() + STATE_EXPIRY_S / 3
            states = self._core.device_states()
            states[GATEWAY_ID] = compact({"device": GATEWAY_ID, "online": True, **self._health()})
            for device, body in states.items():
                if published.get(device) != body:
                    topic = f"{self._root}/state/{device}"
                    await self._mqtt.publish(topic, body, retain=True, expiry_s=STATE_EXPIRY_S)
                    published[device] = body
            await asyncio.sleep(STATE_INTERVAL_S)


def _request(
    name: str, payload: bytes, heart: Heart, now: int, *, response: Response | None, expired: bool
) -> Reply | None:
    return heart.request(name, payload, response, expired, now)


def root(hall: str) -> str:
    return f"hall/v1/{hall}"
