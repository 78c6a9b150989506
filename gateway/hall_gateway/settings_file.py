"""The settings file of a gateway that runs: taken anew when it changes, without a restart.

Here: seeing a change, what of it can be taken while the gateway runs, what waits for a restart, and
keeping the last good settings when the new ones are not. Not here: what follows from them
(service.py, core.py), what a trial is (trial.py).

What a trial changes never waits: for its begin and its end the gateway starts itself again.
"""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from hall_gateway.config import GatewayConfig, load_config
from hall_gateway.toml_input import ConfigError
from hall_gateway.trial import Trial, on_trial, settings_on_trial
from hall_gateway.values import StoreError

log = logging.getLogger(__name__)

LOOK_S = 0.5
"""Between two looks at the file: an editor that writes it in place is done between two of them."""

_FOLLOWED = ("windows", "devices", "rating", "occupancy", "staff", "rules", "figures")
"""What is taken while the gateway runs."""
_OTHERS = ("console",)
"""What the gateway has no part in: the console is a process of its own."""

Stamp = tuple[object, ...]


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


class SettingsFile:
    """Watches the file at `path`, which `running` was read from, or the settings on `trial`.

    `counts`: how often new settings were taken and refused; `pending`: what the file has changed
    that waits for a restart; `error`: why the newest were refused. `restart` is called when the
    gateway has to start again for a trial's begin or end. `hopeless` are settings on trial, by
    their SHA-256, that no gateway could start with, and why.
    """

    def __init__(
        self,
        path: Path,
        running: GatewayConfig,
        clock: Callable[[], int] = unix_ms,
        trial: Trial | None = None,
        hopeless: Mapping[str, str] | None = None,
    ) -> None:
        self.counts = Counter({"taken": 0, "refused": 0})
        self.pending: list[str] = []
        self.error = ""
        self.trial = trial
        """The one that the gateway runs with."""
        self.refused: dict[str, str] = dict(hopeless or {})
        """Settings on trial that cannot be followed, by their SHA-256, and why."""
        self.restart: Callable[[], None] = lambda: None
        self.looked = asyncio.Condition()
        self._clock = clock
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
            if asked:
                async with self.looked:
                    self.looked.notify_all()

    def _on_trial(self) -> Trial | None:
        trial = on_trial(self._path, self._clock())
        return None if trial is None or trial.sha256 in self.refused else trial

    async def _take(self, follow: Callable[[GatewayConfig], Awaitable[None]]) -> bool:
        """Read and follow the file; False when that has to be tried again."""
        trial = self._on_trial()
        try:
            new = load_config(settings_on_trial(self._path) if trial else self._path)
        except ConfigError as error:
            self.counts["refused"] += 1
            self.error = str(error)
            if trial is not None:
                self.refused[trial.sha256] = str(error)
            log.error("the new settings are refused, the gateway goes on as before: %s", error)
            return True
        self.error = ""
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
        switched, self.trial = trial != self.trial, trial
        if switched:
            text = f"version {trial.version}, on trial" if trial else f"{self._path}, no trial"
            log.warning("the settings are now: %s", text)
        if self.pending and switched:
            log.warning("starts again for: %s", ", ".join(self.pending))
            self.restart()
        elif self.pending and self.pending != pending:
            waits = ", ".join(self.pending)
            log.warning("%s: waits until the gateway is started again: %s", self._path, waits)
        return True

    def _stamp(self) -> Stamp | None:
        trial = self._on_trial()
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, trial and trial.sha256


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
    taken = {name: getattr(new, name) for name in _FOLLOWED}
    return running.model_copy(update={**taken, "windows": windows, "devices": devices})


def _pending(running: GatewayConfig, new: GatewayConfig) -> list[str]:
    """What is different in `new`, in the file's words, after all that can be followed was taken."""
    names = [
        field.alias or name
        for name, field in GatewayConfig.model_fields.items()
        if name not in _FOLLOWED + _OTHERS and getattr(running, name) != getattr(new, name)
    ]
    if running.own_displays() != new.own_displays():
        names.append("the display on this machine's own header")
    return names


def waits_for_restart(running: GatewayConfig, new: GatewayConfig) -> list[str]:
    """The tables of `new` that a gateway which runs with `running` cannot follow."""
    return _pending(_takeable(running, new), new)
