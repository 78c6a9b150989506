"""Where events go, and what was refused there, as their page shows it.

Here: what of the store becomes a row. Not here: the page and what may be decided (pages_sinks.py).
"""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from hall_gateway.config import GatewayConfig
from hall_gateway.store_dead_letters import DeadLetter, DeadLetters, Decision
from hall_gateway.store_sinks import SinkRow, Sinks

LETTERS = 100
"""The newest, on the page."""
DECISIONS = 20

BEHIND = 1000
"""So many events that wait are worth a look."""

Health = Literal["good", "warn", "bad", "rest"]


@dataclass(frozen=True)
class SinkLine:
    """A sink. `word`: sinks.{word} says how it is; `where` is its host."""

    row: SinkRow
    where: str
    health: Health
    word: str


@dataclass(frozen=True)
class Letter:
    """A dead letter, with its event's type."""

    letter: DeadLetter
    type: str
    body: str


@dataclass(frozen=True)
class Outside:
    """Everything on the page."""

    sinks: list[SinkLine]
    letters: list[Letter]
    decisions: list[Decision]


def outside(connection: sqlite3.Connection, config: GatewayConfig) -> Outside:
    """Raises sqlite3.Error."""
    dead = DeadLetters(connection)
    # Of a URL the host alone: the rest may be a secret.
    hosts = {each.sink: urlsplit(each.url).hostname or "" for each in config.webhooks}
    hosts["hall"] = config.upstream.host
    return Outside(
        [_line(row, hosts.get(row.name, "")) for row in Sinks(connection).rows()],
        [_letter(letter) for letter in dead.newest(None, LETTERS)],
        dead.decisions(DECISIONS),
    )


def _line(row: SinkRow, where: str) -> SinkLine:
    if row.removed is not None:
        return SinkLine(row, where, "rest", "removed")
    if row.error is not None:
        return SinkLine(row, where, "bad", "failing")
    if row.dead:
        return SinkLine(row, where, "warn", "refused")
    if row.waiting >= BEHIND:
        return SinkLine(row, where, "warn", "behind")
    return SinkLine(row, where, "good", "well")


def _letter(letter: DeadLetter) -> Letter:
    text = letter.body.decode("utf-8", "replace")
    try:
        told: Any = json.loads(text)
    except ValueError:
        return Letter(letter, "", text)
    type: Any = cast("dict[str, Any]", told).get("type") if isinstance(told, dict) else ""
    return Letter(letter, str(type), json.dumps(told, ensure_ascii=False, indent=2))
