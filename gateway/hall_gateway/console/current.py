"""The gateway's settings file as the console follows it.

Here: reading it again when it has changed, and keeping the last good one. Not here: what is in it
(hall_gateway.config).
"""

import logging
import os
from pathlib import Path

from hall_gateway.config import GatewayConfig, load_config
from hall_gateway.toml_input import ConfigError

log = logging.getLogger(__name__)


class Current:
    """The settings in the file at `path`. Raises ConfigError when they cannot be used at first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = self._now()
        self._config = load_config(path, secrets=False)

    @property
    def config(self) -> GatewayConfig:
        """As the file is now; wrong ones are logged, and those before are kept."""
        if (stamp := self._now()) != self._stamp:
            self._stamp = stamp
            try:
                self._config = load_config(self.path, secrets=False)
            except ConfigError as error:
                log.error("the new settings are refused, the console goes on as before: %s", error)
        return self._config

    def _now(self) -> tuple[int, ...] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns
