"""The sinks of one gateway, together: which there are, and their start and end.

Here: composition. Not here: any one of them (hall_link.py, webhooks.py), where their cursors are
kept (store_sinks.py).
"""

import asyncio
from typing import Self

from hall_gateway.config import GatewayConfig
from hall_gateway.core import Core
from hall_gateway.hall_link import SINK
from hall_gateway.home_assistant_link import HomeAssistant
from hall_gateway.mqtt import MqttClient
from hall_gateway.plan import Plan, plan_of
from hall_gateway.schema import StoreOpenError
from hall_gateway.store_sinks import SinkPlan
from hall_gateway.values import StoreError
from hall_gateway.webhooks import Webhook


class Sinks:
    """Every sink but the hall system's link, which has more to do than to take events; and what
    Home Assistant is shown. `async with` starts and ends its connection."""

    def __init__(self, webhooks: list[Webhook], home_assistant: HomeAssistant | None) -> None:
        self._all = webhooks
        self._home_assistant = home_assistant

    @property
    def brokers(self) -> dict[str, MqttClient]:
        """By name; for their health."""
        shown = self._home_assistant
        return {"home_assistant": shown.mqtt} if shown else {}

    async def __aenter__(self) -> Self:
        if self._home_assistant:
            await self._home_assistant.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._home_assistant:
            await self._home_assistant.__aexit__(*error)

    def follow(self, plan: Plan) -> None:
        """Other devices from here on."""
        if self._home_assistant:
            self._home_assistant.follow(plan)

    @classmethod
    async def open(cls, config: GatewayConfig, core: Core) -> "Sinks":
        """Tell the store which sinks there are. Raises ConfigError when a file of one cannot be
        used, StoreOpenError when the store does not take it, as on a disk that is full."""
        webhooks = [Webhook(own, core) for own in config.webhooks]
        plans = plans_of(config)
        try:
            await core.do(lambda heart, now: heart.sinks.declare(plans, now))
        except StoreError as error:
            raise StoreOpenError(f"{config.store.path}: {error}; check the disk") from None
        table = config.home_assistant
        return cls(webhooks, HomeAssistant(table, plan_of(config), core) if table else None)

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            for sink in self._all:
                group.create_task(sink.run(), name=sink.name)
            if self._home_assistant:
                group.create_task(self._home_assistant.run())

    async def finish(self) -> None:
        """Let what is underway end, and begin nothing new."""
        await asyncio.gather(*(sink.finish() for sink in self._all))


def plans_of(config: GatewayConfig) -> dict[str, SinkPlan]:
    """The sinks of the settings by name. A webhook that is new gets what happens from then on."""
    webhooks = {own.sink: SinkPlan(own.types) for own in config.webhooks}
    return {SINK: SinkPlan(from_oldest=True), **webhooks}
