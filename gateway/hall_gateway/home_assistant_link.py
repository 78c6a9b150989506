"""The hall in Home Assistant, over a broker: discovery, states, and taking back what is gone.

Here: publishing, all of it retained. Not here: what is published (home_assistant.py).

It exports states, so it has no cursor and loses nothing: what is true now is published when the
connection is there. What an earlier gateway announced and this one has not any more is found at the
broker, where it is retained, and taken back.
"""

import asyncio
import json
import logging
from contextlib import suppress
from typing import Self

from hall_gateway import tickets
from hall_gateway.config_home_assistant import HomeAssistantConfig
from hall_gateway.core import Core
from hall_gateway.heart import Heart
from hall_gateway.home_assistant import discovery, object_id, root, values
from hall_gateway.mqtt import MqttClient
from hall_gateway.mqtt_message import DisconnectedError
from hall_gateway.ordered import until_stored
from hall_gateway.plan import Plan
from hall_gateway.state import HallState
from hall_gateway.wire import compact, one_line

PAUSE_S = 1.0
"""Between two rounds: a flood of events is no flood of these."""
STATES_S = 5.0
"""Between two rounds without an event, for devices report without one."""

log = logging.getLogger(__name__)


class HomeAssistant:
    """Publishes the hall of `plan`; `async with` starts and ends the connection."""

    def __init__(self, config: HomeAssistantConfig, plan: Plan, core: Core) -> None:
        self._plan = plan
        self._core = core
        self._prefix = config.discovery_prefix
        self._status = f"{config.discovery_prefix}/status"
        topics = [f"{config.discovery_prefix}/device/+/config", self._status]
        will = (f"{root(plan.hall)}/online", b"0")
        name = f"hallkit-{plan.hall}-home-assistant"
        self.mqtt = MqttClient("Home Assistant's broker", config, name, topics, will)
        self._news = core.signals.outbox.listen(core.signals.desired.listen())
        self._published: dict[str, bytes] = {}

    async def __aenter__(self) -> Self:
        await self.mqtt.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.mqtt.__aexit__(None, None, None)

    def follow(self, plan: Plan) -> None:
        """Other devices from here on; those that went are taken back."""
        gone = discovery(self._plan).keys() - discovery(plan).keys()
        self._plan = plan
        for id in gone:
            self._published.pop(self._config_topic(id), None)
            self._take_back(id)
        self._news.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._receive())
            group.create_task(self.mqtt.while_connected(self._publish))

    async def _receive(self) -> None:
        ours = object_id(self._plan.hall)
        async for message in self.mqtt.messages():
            if message.topic == self._status:
                if message.payload == b"online":  # it has started, and may have lost everything
                    self._published.clear()
                    self._news.set()
            else:
                id = message.topic.split("/")[-2]
                if id.startswith(ours) and message.payload and id not in discovery(self._plan):
                    self._take_back(id)
            message.ack()

    def _take_back(self, id: str) -> None:
        """An empty payload removes a device from Home Assistant, and from the broker."""
        log.info("%s is gone from the hall; it is removed from Home Assistant", one_line(id))
        with suppress(DisconnectedError):  # then it is found there at the next connection
            self.mqtt.send(self._config_topic(id), b"", retain=True)

    def _config_topic(self, id: str) -> str:
        return f"{self._prefix}/device/{id}/config"

    async def _publish(self) -> None:
        """Everything at the start of a connection, and then what has changed."""
        self._published.clear()
        while True:
            self._news.clear()
            for topic, body in (await until_stored(self._wanted)).items():
                if self._published.get(topic) != body:
                    await self.mqtt.publish(topic, body, retain=True)
                    self._published[topic] = body
            await asyncio.sleep(PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(STATES_S):
                    await self._news.wait()

    async def _wanted(self) -> dict[str, bytes]:
        """Every topic with its payload: configurations, then states, and that we are there."""
        plan, base = self._plan, root(self._plan.hall)

        def look(heart: Heart, now: int) -> tuple[HallState, int]:
            state = HallState()
            state.become(heart.hall_now)
            state.occupancies = dict(state.occupancies)
            return state, tickets.waiting(heart.hall_now, now).whole.count

        state, waiting = await self._core.do(look)
        devices = {id: json.loads(body) for id, body in self._core.device_states().items()}
        told = values(plan, state, devices, waiting)
        return {
            **{self._config_topic(id): compact(config) for id, config in discovery(plan).items()},
            **{f"{base}/{end}": value.encode() for end, value in told.items()},
            f"{base}/online": b"1",
        }
