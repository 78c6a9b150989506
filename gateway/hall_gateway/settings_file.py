"""The settings file of a gateway that runs: taken anew when it changes, without a restart.

Here: seeing a change, what of it can be taken while the gateway runs, and keeping the last good
settings when the new ones are not. Not here: what follows from them (service.py, core.py).
"""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from hall_gateway.config import GatewayConfig, load_config
from hall_gateway.toml_input import ConfigError
from hall_gateway.values import StoreError

log = logging.getLogger(__name__)

LOOK_S = 0.5
"""Between two looks at the file: an editor that writes it in place is done between two of them."""

_FOLLOWED = {"windows", "devices", "rating"}

Stamp = tuple[int, ...]


class SettingsFile:
    """Watches the file at `path`, which `running` was read from. `counts`: how often new settings
    were taken and refused."""

    def __init__(self, path: Path, running: GatewayConfig) -> None:
        self.counts = Counter({"taken": 0, "refused": 0})
        self._path = path
        self._running = running
        self._asked = asyncio.Event()
        self._known: Stamp | None = None  # it may have changed since it was read

    def look(self) -> None:
        """Read the file now, whether it changed or not (SIGHUP)."""
        self._asked.set()

    async def watch(self, follow: Callable[[GatewayConfig], Awaitable[None]]) -> None:
        """Hand changed settings to `follow` until cancelled."""
        seen = self._known
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._asked.wait()
            asked = self._asked.is_set()
            self._asked.clear()
            before, seen = seen, self._stamp()
            changed = seen != self._known and seen == before
            if (asked or changed) and await self._take(follow):
                self._known = seen

    async def _take(self, follow: Callable[[GatewayConfig], Awaitable[None]]) -> bool:
        """Read and follow the file; False when that has to be tried again."""
        try:
            new = load_config(self._path)
            if blocked := _needs_restart(self._running, new):
                raise ConfigError(
                    f"{self._path}: {blocked} changed; nothing of the file is taken before the "
                    "gateway is started again"
                )
        except ConfigError as error:
            self.counts["refused"] += 1
            log.error("the new settings are refused, the gateway goes on as before: %s", error)
            return True
        if new == self._running:
            return True
        try:
            await follow(new)
        except StoreError:  # the core says so in the log
            return False
        self._running = new
        self.counts["taken"] += 1
        log.info("%s: taken anew: %d devices", self._path, len(new.devices))
        return True

    def _stamp(self) -> Stamp | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns


def _needs_restart(running: GatewayConfig, new: GatewayConfig) -> str:
    """What is different and cannot be followed, in the file's words; "" for nothing."""
    names = [
        field.alias or name
        for name, field in GatewayConfig.model_fields.items()
        if name not in _FOLLOWED and getattr(running, name) != getattr(new, name)
    ]
    if running.own_displays() != new.own_displays():
        names.append("the display on this machine's own header")
    return ", ".join(names)
