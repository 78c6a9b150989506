"""The settings file of a gateway that runs: taken anew when it changes, without a restart.

Here: seeing a change, what of it can be taken while the gateway runs, what waits for a restart, and
keeping the last good settings when the new ones are not. Not here: what follows from them
(service.py, core.py).
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

_FOLLOWED = {"windows", "devices", "rating", "occupancy", "staff", "rules", "console", "figures"}
"""What waits for no restart of the gateway; the console is a process of its own."""

Stamp = tuple[int, ...]


class SettingsFile:
    """Watches the file at `path`, which `running` was read from. `counts`: how often new settings
    were taken and refused; `pending`: what the file has changed that waits for a restart."""

    def __init__(self, path: Path, running: GatewayConfig) -> None:
        self.counts = Counter({"taken": 0, "refused": 0})
        self.pending: list[str] = []
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
        except ConfigError as error:
            self.counts["refused"] += 1
            log.error("the new settings are refused, the gateway goes on as before: %s", error)
            return True
        taken = _takeable(self._running, new)
        if taken != self._running:
            try:
                await follow(taken)
            except StoreError:  # the core says so in the log
                return False
            self._running = taken
            self.counts["taken"] += 1
            log.info("%s: taken anew: %d devices", self._path, len(taken.devices))
        pending, self.pending = self.pending, _pending(taken, new)
        if self.pending and self.pending != pending:
            waits = ", ".join(self.pending)
            log.warning("%s: waits until the gateway is started again: %s", self._path, waits)
        return True

    def _stamp(self) -> Stamp | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns


def _takeable(running: GatewayConfig, new: GatewayConfig) -> GatewayConfig:
    """`running` with what can be followed of `new`. A display on this machine's own header stays
    as it is, with its window, and so does whoever is to take its place."""
    devices, windows, own = new.devices, new.windows, running.own_displays()
    if own != (wanted := new.own_displays()):
        stay = {device.id: device for device in own}
        ids, wait = set(stay), {device.id for device in wanted}
        kept = [
            stay.pop(device.id, device)
            for device in devices
            if device.id in ids or (device.id not in wait and device.replaces not in ids)
        ]
        devices = (*kept, *stay.values())
        there = {window.id for window in windows}
        places = {device.window for device in own} - there
        windows = (*windows, *(window for window in running.windows if window.id in places))
    taken = {
        "windows": windows,
        "devices": devices,
        "rating": new.rating,
        "occupancy": new.occupancy,
        "rules": new.rules,
        "figures": new.figures,
    }
    return running.model_copy(update=taken)


def _pending(running: GatewayConfig, new: GatewayConfig) -> list[str]:
    """What is different in `new`, in the file's words, after all that can be followed was taken."""
    names = [
        field.alias or name
        for name, field in GatewayConfig.model_fields.items()
        if name not in _FOLLOWED and getattr(running, name) != getattr(new, name)
    ]
    if running.own_displays() != new.own_displays():
        names.append("the display on this machine's own header")
    return names
