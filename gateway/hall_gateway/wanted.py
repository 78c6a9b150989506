"""What only some halls need, imported when its settings want it: it takes much memory to import.

Here: the devices' CoAP side (aiocoap and its cryptography), the embedded broker (amqtt), the back
office's JetStream (nats-py), and why one cannot be started. Not here: what they do (coap_side.py,
broker.py, jetstream_link.py).
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from hall_gateway.config import GatewayConfig
from hall_gateway.core import Core
from hall_gateway.health import Health
from hall_gateway.plan import plan_of
from hall_gateway.quarantine import Quarantine
from hall_gateway.values import DeviceOrder

if TYPE_CHECKING:
    from hall_gateway.coap_side import CoapSide
    from hall_gateway.jetstream_link import JetStreamLink

Coap: TypeAlias = "CoapSide | NoCoap"


class BrokerStartError(Exception):
    """The embedded broker cannot be started; the text says why."""


class CoapStartError(Exception):
    """The CoAP endpoint cannot be opened: what is wrong and what to do, in one line."""


class NoCoap:
    """In the place of a CoapSide where the settings have no [coap] table."""

    def __init__(self) -> None:
        self.orders: dict[str, Callable[[DeviceOrder], None]] = {}
        self.port = 0

    def follow(self, config: GatewayConfig) -> None:
        """No [coap] table can come while the gateway runs."""

    def figures(self) -> dict[str, int]:
        return {}

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def finish(self) -> None:
        pass


@asynccontextmanager
async def coap(
    config: GatewayConfig, core: Core, keys: Path, quarantine: Quarantine
) -> AsyncGenerator[Coap]:
    """See coap_side.coap_side()."""
    if config.coap is None:
        yield NoCoap()
        return
    from hall_gateway.coap_side import coap_side

    async with coap_side(config, core, keys, quarantine) as side:
        yield side


@asynccontextmanager
async def embedded(host: str, port: int) -> AsyncGenerator[None]:
    """See broker.embedded_broker()."""
    from hall_gateway.broker import embedded_broker

    async with embedded_broker(host, port):
        yield


def jetstream(
    config: GatewayConfig, core: Core, judged: Callable[[], Health]
) -> "JetStreamLink | None":
    """See jetstream_link.JetStreamLink. Raises ConfigError when a file of it cannot be used."""
    if config.jetstream is None:
        return None
    from hall_gateway.jetstream_link import JetStreamLink

    config.jetstream.check_files()
    return JetStreamLink(plan_of(config), config.jetstream, core, judged, config.figures.hall_class)
