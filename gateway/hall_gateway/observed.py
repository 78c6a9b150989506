"""A gateway as those see it who watch it: its figures of now, and whether they are good.

Here: putting the parts' figures together. Not here: what is good (health.py), how it is told
(health_api.py, metrics.py, systemd.py).
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from hall_gateway import health_api, logs
from hall_gateway.core import Core
from hall_gateway.health import Health, Watch
from hall_gateway.mqtt_message import Counters
from hall_gateway.settings_file import SettingsFile

if TYPE_CHECKING:
    from hall_gateway.metrics import Metrics


class Broker(Protocol):
    """A connection to others: an MQTT broker, or the back office's NATS servers. `waiting`: what
    came and is not handled yet; `taken`: what was, since the start."""

    counters: Counters
    taken: int

    @property
    def connected(self) -> bool: ...

    @property
    def waiting(self) -> int: ...


class Observed:
    """`counts` are the gateway's own (service.Gateway.health), `max_mb` the store's limit,
    `fetches` what became of devices' requests for releases, `told_again` events that sinks had
    lost."""

    def __init__(
        self,
        core: Core,
        brokers: Mapping[str, Broker],
        counts: Callable[[], dict[str, object]],
        max_mb: int,
        settings: SettingsFile | None,
        fetches: Mapping[str, int],
        told_again: Callable[[], Mapping[str, int]],
    ) -> None:
        self._core = core
        self._brokers = brokers
        self._counts = counts
        self._max_mb = max_mb
        self._settings = settings
        self._fetches = fetches
        self._told_again = told_again
        self._watch = Watch(time.monotonic)
        self._metrics: Metrics | None = None

    def routes(self) -> list[web.RouteDef]:
        """/health and /metrics."""
        return health_api.routes(self.judged, self._scraped)

    def _scraped(self, accept: str) -> tuple[bytes, str]:
        if self._metrics is None:
            # Where nobody asks for metrics, prometheus_client's 1 MB is not spent on them.
            from hall_gateway.metrics import Metrics

            self._metrics = Metrics(self.figures, self._core.commits)
        return self._metrics.told(accept)

    def judged(self) -> Health:
        """How the gateway is now."""
        return self._watch.judge(self.report())

    def report(self) -> dict[str, object]:
        """The counts, the last commit (unix ms) and how the connections to the brokers are; for
        this machine alone."""
        brokers = {
            name: {
                "connected": mqtt.connected,
                "waiting": mqtt.waiting,
                "taken": mqtt.taken,
                **asdict(mqtt.counters),
            }
            for name, mqtt in self._brokers.items()
        }
        told = {**self._counts(), "brokers": brokers}
        told["last_commit"] = self._core.health().get("last_commit")
        if (file := self._settings) is not None:
            told["settings"] = {**file.counts, "pending": file.pending, "error": file.error}
        return told

    def figures(self) -> dict[str, object]:
        """Everything that /metrics tells."""
        states = map(json.loads, self._core.device_states().values())
        return {
            **self.report(),
            "status": self.judged().status,
            "log_left_out": logs.left_out(),
            "store_limit_bytes": self._max_mb * 1024 * 1024,
            "roll_out": self._core.roll_out,
            "fetches": dict(self._fetches),
            "told_again": dict(self._told_again()),
            "devices": {state["device"]: state for state in states},
        }
