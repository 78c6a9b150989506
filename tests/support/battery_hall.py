"""A gateway's CoAP side over a real store, with battery devices enrolled, for tests in process."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hall_gateway.coap_side import CoapSide, coap_side
from hall_gateway.config import GatewayConfig, load_config
from hall_gateway.core import Core
from hall_gateway.kept_out import KeptOut
from hall_gateway.keys import FOLDER, KeyStore
from hall_profiles import load

from support.core_hall import Clock, Hall

PROFILE = "wet-floor-battery"


@dataclass(frozen=True)
class CoapHall:
    """`folder` is the one of hall.toml."""

    folder: Path
    config: GatewayConfig
    core: Core
    hall: Hall
    side: CoapSide
    kept_out: KeptOut

    @property
    def port(self) -> int:
        return self.side.port

    def refused(self) -> dict[str, int]:
        """What was refused so far, by reason, without what was not."""
        return {reason: count for reason, count in self.side.refused.items() if count}


def battery_toml(folder: Path, devices: Sequence[str], coap: str = 'host = "127.0.0.1"') -> Path:
    """hall.toml with these battery devices in a zone, and one on mains; nobody is enrolled."""
    tables = "".join(
        f'[[device]]\nid = "{device}"\nprofile = "{PROFILE}"\nzone = "hall"\n' for device in devices
    )
    mains = '[[device]]\nid = "mains"\nprofile = "wet-floor-mains"\nzone = "hall"\n'
    path = folder / "hall.toml"
    path.write_text(
        'hall = "demo"\n[store]\npath = "hall.db"\n[broker]\ndevice_host = "192.168.1.10"\n'
        f"[upstream]\n[coap]\n{coap}\n{tables}{mains}",
        encoding="utf-8",
    )
    return path


def enrolled(folder: Path, *devices: str) -> KeyStore:
    """Keys for `devices`."""
    store = KeyStore(folder / FOLDER)
    for device in devices:
        store.enrol(device, load(PROFILE))
    return store


@asynccontextmanager
async def coap_hall(
    folder: Path, *devices: str, clock: Clock | None = None
) -> AsyncGenerator[CoapHall]:
    """The CoAP side of a gateway for `devices`, at a free port, ended in order."""
    clock = clock or Clock()
    config = load_config(battery_toml(folder, devices))
    assert config.coap is not None
    free = config.coap.model_copy(update={"port": 0})
    config = config.model_copy(update={"coap": free})
    core = await Core.open(config, clock)
    try:
        kept_out = KeptOut(core, config.limits.limits())
        async with coap_side(config, core, folder / FOLDER, kept_out.quarantine) as side:
            yield CoapHall(folder, config, core, Hall(core, clock), side, kept_out)
            await side.finish()
    finally:
        await core.close()
