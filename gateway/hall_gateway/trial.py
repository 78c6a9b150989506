"""Settings on trial: a gateway runs with them until they are confirmed, or their time is over.

Here: what is on the disk of a trial, beside the settings file, and whether it holds. Not here: who
begins and ends one (hall_tools.config_versions), what follows in the gateway (settings_file.py).

The settings file itself stays as it is until somebody confirms. So going back needs nobody: not
after a power cut, not when the gateway was killed, not when the machine that asked has lost its
way here. A trial whose time cannot be told, for the clock is behind its beginning, is over.
"""

import hashlib
import logging
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

log = logging.getLogger(__name__)

MAX_S = 3600
"""The longest trial."""


class Trial(BaseModel):
    """Version `version` of the settings, tried by `by` from `begun` until `until` (unix ms).

    `sha256` is of the settings on trial, `base` of the settings file that they are to replace.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    version: int
    by: str
    begun: int
    until: int
    sha256: str
    base: str

    def holds(self, now: int) -> bool:
        """Whether its time has begun and is not over. `now`: unix ms."""
        return self.begun <= now < self.until <= self.begun + MAX_S * 1000


def settings_on_trial(config: Path) -> Path:
    """Where the settings on trial lie, beside `config`, so that paths in them mean the same."""
    return config.with_name(f"{config.name}.trial")


def record(config: Path) -> Path:
    """What makes them a trial: written after them, and deleted first."""
    return config.with_name(f"{config.name}.trial.json")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def on_trial(config: Path, now: int) -> Trial | None:
    """The trial that holds now; None for none."""
    try:
        trial = Trial.model_validate_json(record(config).read_bytes())
        if not trial.holds(now):
            return None
        content = settings_on_trial(config).read_bytes()
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.error("%s: no trial, for it cannot be read: %s", record(config), error)
        return None
    return trial if sha256(content) == trial.sha256 else None
