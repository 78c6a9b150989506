"""Devices that are kept out: told to the hall system and the log, and let in again.

Here: the quarantine with its clocks, and what the hall hears of it. Not here: who is kept out
(quarantine.py), and how (devices_mqtt.py, devices_coap.py).
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from hall_gateway.core import Core
from hall_gateway.heart import Heart
from hall_gateway.ordered import until_stored
from hall_gateway.quarantine import Held, Limits, Quarantine
from hall_gateway.values import Signal

log = logging.getLogger(__name__)

_WHY = {"flooding": "it sends too much", "nonsense": "what it sends makes no sense"}


class KeptOut:
    """`changed` is set when the `quarantine` holds others than before."""

    def __init__(
        self, core: Core, limits: Limits, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.changed = Signal()
        self.quarantine = Quarantine(limits, monotonic, core.now, self.changed.set)
        self._core = core
        self._due = self.changed.listen()

    def figures(self) -> dict[str, object]:
        """Who is kept out now, and what came of whom while it was, since the start."""
        quarantine = self.quarantine
        return {"kept_out": quarantine.figures(), "dropped": dict(quarantine.dropped)}

    async def run(self) -> None:
        """Until cancelled."""
        told: dict[str, Held] = {}
        while True:
            self._due.clear()
            for device in self.quarantine.release():
                log.warning("%s: listened to again", device)
                told.pop(device, None)
                self.changed.set()
            for device, held in list(self.quarantine.held.items()):
                if told.get(device) != held:
                    told[device] = held
                    await self._tell(device, held)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.quarantine.wait_s()):
                    await self._due.wait()

    async def _tell(self, device: str, held: Held) -> None:
        lasts_s = (held.until - held.since) / 1000
        log.warning("%s: not listened to for %.0f s: %s", device, lasts_s, _WHY[held.code])
        work = partial(_tell, device, held)
        await until_stored(partial(self._core.do, work, grows=True))


def _tell(device: str, held: Held, heart: Heart, now: int) -> None:
    heart.kept_out(device, held.code, held.until, now)
