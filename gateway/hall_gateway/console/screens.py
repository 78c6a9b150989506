"""Viewers who stay logged in over a restart: a screen on the wall has nobody who types a password.

Here: the file of their sessions, for its owner alone; of each only a hash of its cookie. Not here:
sessions (sessions.py). Whoever may do more than look logs in again.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from hall_gateway.files import FileError, read_secret, write_secret

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Screen:
    """A viewer's session; `age_s` since its login, `mark` the user's at that time."""

    user: str
    mark: str
    age_s: float


class Screens:
    """The file at `path`. `clock` gives unix s. What goes wrong with it is logged: then they log in
    again."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock

    def load(self) -> dict[str, Screen]:
        """By the hash of the cookie."""
        try:
            content = read_secret(self._path)
        except FileError as error:
            log.warning("%s", error)
            return {}
        if content is None:
            return {}
        try:
            told = cast("dict[str, Any]", json.loads(content))
            # A clock that was behind makes nobody older than the start of the count.
            passed = max(0.0, self._clock() - float(told["at"]))
            return {
                str(key): Screen(str(s["user"]), str(s["mark"]), float(s["age_s"]) + passed)
                for key, s in told["screens"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            log.warning("%s: cannot be read; viewers log in again", self._path)
            return {}

    def save(self, screens: Mapping[str, Screen]) -> None:
        listed = {key: asdict(screen) for key, screen in screens.items()}
        body = json.dumps({"at": self._clock(), "screens": listed}, ensure_ascii=False)
        try:
            write_secret(self._path, body.encode())
        except FileError as error:
            log.warning("%s; viewers log in again after a restart", error)
