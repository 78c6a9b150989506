"""The gateway's CoAP side as a whole: keys, contexts, the site, and the endpoint around them.

Here: putting them together, following new settings, and the order in which they end. Not here: the
parts.
"""

import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from hall_gateway.coap_gate import Gate
from hall_gateway.coap_server import coap_server
from hall_gateway.config import GatewayConfig
from hall_gateway.core import Core
from hall_gateway.devices_coap import PATH, DevicesCoap
from hall_gateway.keys import KeyStore
from hall_gateway.oscore_contexts import Contexts
from hall_gateway.oscore_site import REASONS, OscoreSite
from hall_gateway.quarantine import Quarantine
from hall_gateway.values import DeviceOrder, StoreError

log = logging.getLogger(__name__)


class CoapSide:
    """Devices that speak CoAP. Without a [coap] table there is none, and it does nothing.

    `orders` takes the commands of its devices, by their id. `port` is the UDP port, 0 for none.
    """

    def __init__(
        self, config: GatewayConfig, core: Core, keys: Path, quarantine: Quarantine
    ) -> None:
        self.refused: Counter[str] = Counter()
        self.port = 0
        self._devices = DevicesCoap(config, core, quarantine)
        self.orders: dict[str, Callable[[DeviceOrder], None]] = self._devices.orders
        self._contexts = Contexts(KeyStore(keys), core)
        self.gate = Gate(time.monotonic)
        self.site = OscoreSite(self._contexts, {PATH: self._devices}, self.refused, self.gate)
        if config.coap is not None:
            self.refused.update(dict.fromkeys((*REASONS, "unparsable", "flood"), 0))
            self.follow(config)

    def follow(self, config: GatewayConfig) -> None:
        """The devices of `config` are heard from here on, and no others."""
        self._devices.follow(config)
        self._contexts.follow([device.id for device in config.coap_devices()])

    def figures(self) -> dict[str, int]:
        """What was refused, by reason, and how many devices had to prove that they are not a
        recording (`challenged`); nothing when there is no CoAP here."""
        if not self.port:
            return {}
        unread = {"key_files": self._contexts.unreadable}
        return {**self.refused, **unread, "challenged": self.site.challenged}

    async def run(self) -> None:
        """Until cancelled."""
        await self._devices.run()

    async def finish(self) -> None:
        """Answer what was taken, and remember what was seen. Nothing is heard any more."""
        await self._devices.finish()
        try:
            await self._contexts.keep()
        except StoreError as error:
            log.warning("battery devices have to be challenged after the next start: %s", error)


@asynccontextmanager
async def coap_side(
    config: GatewayConfig, core: Core, keys: Path, quarantine: Quarantine
) -> AsyncGenerator[CoapSide]:
    """The CoAP side, listening; `keys` is the folder with the devices' keys. Raises
    CoapStartError."""
    side = CoapSide(config, core, keys, quarantine)
    if config.coap is None:
        yield side
        return
    where = config.coap
    async with coap_server(where.host, where.port, side.site, side.refused, side.gate) as side.port:
        yield side
