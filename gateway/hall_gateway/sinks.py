"""The sinks of one gateway, together: which there are, and their start and end.

Here: composition. Not here: any one of them (hall_link.py, webhooks.py), where their cursors are
kept (store_sinks.py).
"""

import asyncio

from hall_gateway.config import GatewayConfig
from hall_gateway.core import Core
from hall_gateway.hall_link import SINK
from hall_gateway.store_sinks import SinkPlan
from hall_gateway.webhooks import Webhook


class Sinks:
    """Every sink but the hall system's link, which has more to do than to take events."""

    def __init__(self, webhooks: list[Webhook]) -> None:
        self._all = webhooks

    @classmethod
    async def open(cls, config: GatewayConfig, core: Core) -> "Sinks":
        """Tell the store which sinks there are. Raises ConfigError when a file of one cannot be
        used, StoreError when the store does not take it."""
        webhooks = [Webhook(own, core) for own in config.webhooks]
        plans = plans_of(config)
        await core.do(lambda heart, now: heart.sinks.declare(plans, now))
        return cls(webhooks)

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            for sink in self._all:
                group.create_task(sink.run(), name=sink.name)

    async def finish(self) -> None:
        """Let what is underway end, and begin nothing new."""
        await asyncio.gather(*(sink.finish() for sink in self._all))


def plans_of(config: GatewayConfig) -> dict[str, SinkPlan]:
    """The sinks of the settings by name. A webhook that is new gets what happens from then on."""
    webhooks = {own.sink: SinkPlan(own.types) for own in config.webhooks}
    return {SINK: SinkPlan(from_oldest=True), **webhooks}
