"""The sinks of one gateway, together: which there are, and their start and end.

Here: composition. Not here: any one of them (hall_link.py, webhooks.py, jetstream_link.py), where
their cursors are kept (store_sinks.py).
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from hall_gateway import config_jetstream, wanted
from hall_gateway.config import GatewayConfig
from hall_gateway.core import Core
from hall_gateway.hall_link import SINK
from hall_gateway.health import Health
from hall_gateway.home_assistant_link import HomeAssistant
from hall_gateway.mqtt import MqttClient
from hall_gateway.plan import Plan, plan_of
from hall_gateway.schema import StoreOpenError
from hall_gateway.store_sinks import SinkPlan
from hall_gateway.values import StoreError
from hall_gateway.webhooks import Webhook

if TYPE_CHECKING:
    from hall_gateway.jetstream import JetStream
    from hall_gateway.jetstream_link import JetStreamLink


class Sinks:
    """Every sink but the hall system's link, which has more to do than to take events; and what
    Home Assistant is shown. `async with` starts and ends its connection."""

    def __init__(self, webhooks: list[Webhook], home_assistant: HomeAssistant | None) -> None:
        self._webhooks = webhooks
        self._home_assistant = home_assistant
        self._jetstream: JetStreamLink | None = None
        self.judged: Callable[[], Health] = lambda: Health("ok", ())
        """How the gateway is, which the back office is told."""

    @property
    def _all(self) -> "list[Webhook | JetStreamLink]":
        return [*self._webhooks, *([self._jetstream] if self._jetstream else [])]

    @property
    def servers(self) -> "dict[str, JetStream]":
        """As brokers, of NATS."""
        return {self._jetstream.name: self._jetstream.servers} if self._jetstream else {}

    @property
    def refused(self) -> dict[str, int]:
        """What never reached the core, by reason."""
        return self._jetstream.refused if self._jetstream else {}

    @property
    def told_again(self) -> dict[str, int]:
        """Events that a sink took and lost, and took again since the start, by its name."""
        return {self._jetstream.name: self._jetstream.told_again} if self._jetstream else {}

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

    def follow(self, plan: Plan, hall_class: str) -> None:
        """Other devices from here on, or another class of the hall."""
        if self._home_assistant:
            self._home_assistant.follow(plan)
        if self._jetstream:
            self._jetstream.follow(plan, hall_class)

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
        sinks = cls(webhooks, HomeAssistant(table, plan_of(config), core) if table else None)
        sinks._jetstream = wanted.jetstream(config, core, lambda: sinks.judged())
        return sinks

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
    """The sinks of the settings by name. A webhook that is new gets what happens from then on, and
    a back office all that is kept."""
    plans = {SINK: SinkPlan(from_oldest=True)}
    if (table := config.jetstream) is not None:
        plans[config_jetstream.SINK] = SinkPlan(table.types, from_oldest=True)
    return plans | {own.sink: SinkPlan(own.types) for own in config.webhooks}
