"""What is different between two settings, setting by setting, without a secret in it.

Here: comparing. Not here: where settings come from (config_versions.py), how a difference is
printed (commands/gateway_config.py).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from hall_gateway.config import GatewayConfig
from hall_gateway.settings_file import waits_for_restart

HIDDEN = "(hidden)"
_SECRET = re.compile(r"(password|secret|token|credential|pin|key)s?$")
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True)
class Change:
    """A setting, as `device[kp-1].window`. None: it is not there."""

    where: str
    old: object
    new: object

    def __str__(self) -> str:
        if self.old is None:
            return f"+ {self.where} = {_text(self.new)}"
        if self.new is None:
            return f"- {self.where} = {_text(self.old)}"
        return f"~ {self.where} = {_text(self.old)} -> {_text(self.new)}"


def changes(old: GatewayConfig, new: GatewayConfig) -> list[Change]:
    """In the order of the settings' names. Two secrets that differ are a change, both hidden."""
    before, after = dict(_flat(old)), dict(_flat(new))
    return [
        Change(where, _shown(where, before.get(where)), _shown(where, after.get(where)))
        for where in sorted(before.keys() | after.keys())
        if before.get(where) != after.get(where)
    ]


def restarts(old: GatewayConfig, new: GatewayConfig) -> list[str]:
    """The tables that a running gateway does not follow without starting again."""
    return waits_for_restart(old, new)


def _flat(config: GatewayConfig) -> Iterator[tuple[str, object]]:
    yield from _leaves("", config.model_dump(mode="json", by_alias=True))


def _leaves(where: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, part in cast("dict[str, object]", value).items():
            yield from _leaves(f"{where}.{name}" if where else name, part)
    elif isinstance(value, list) and any(isinstance(part, dict) for part in cast("Any", value)):
        for number, part in enumerate(cast("list[dict[str, object]]", value), start=1):
            yield from _leaves(f"{where}[{part.get('id', number)}]", part)
    elif value is not None:
        yield where, value


def _shown(where: str, value: object) -> object:
    if value is None:
        return None
    if _SECRET.search(where.rpartition(".")[2]):
        return HIDDEN
    if isinstance(value, str) and _URL.match(value):
        return _place(value)
    return value


def _place(url: str) -> str:
    """Its scheme and host: many a webhook's path is all that it takes to post there."""
    scheme, _, rest = url.partition("://")
    place = re.split(r"[/?#]", rest, maxsplit=1)[0]
    login, at, host = place.rpartition("@")
    behind = rest[len(place) :]
    shown = f"{scheme}://{HIDDEN if login else ''}{at}{host}"
    return shown + (behind if behind in ("", "/") else f"/{HIDDEN}")


def _text(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) and value != HIDDEN else str(value)
