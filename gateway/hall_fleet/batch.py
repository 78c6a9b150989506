"""A batch of messages on its way into the record.

Here: telling events from poison, what comes twice, and the text of COPY; pure. Not here: what makes
an event (message.py), SQL (record.py), who fetched the messages (pull.py).
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hall_gateway.wire import compact, one_line

from hall_fleet.message import Event, Reason
from hall_fleet.sums import COLUMNS, Add, day_date

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PLACES = {name: place for place, name in enumerate(COLUMNS)}
_NOTHING = ["0"] * len(COLUMNS)

MAX_BODY = 64 * 1024
"""Bytes of a message that are kept when it is no event."""


class Message(NamedTuple):
    """As a stream gave it. `reply` is where it is acknowledged, and says where it is in the stream
    (JetStream's `$JS.ACK.…`, with or without a domain)."""

    subject: str
    headers: Mapping[str, str]
    body: bytes
    reply: str

    @property
    def stream(self) -> str:
        return self._place()[0]

    @property
    def sequence(self) -> int:
        """In its stream, from 1."""
        return int(self._place()[3])

    @property
    def stored(self) -> datetime:
        """When the stream took it."""
        return _EPOCH + timedelta(microseconds=int(self._place()[5]) // 1000)

    @property
    def pending(self) -> int:
        """How many messages the consumer had to give after it."""
        return int(self._place()[6])

    def _place(self) -> list[str]:
        tokens = self.reply.split(".")
        return tokens[2:] if len(tokens) == 9 else tokens[4:]


class Poison(NamedTuple):
    """A row of hall.poison."""

    message: Message
    hall: str | None
    claimed: str | None
    reason: Reason
    detail: str

    def row(self) -> tuple[object, ...]:
        """In the order of record.POISON."""
        message = self.message
        headers = {_plain(name): _plain(value) for name, value in message.headers.items()}
        return (
            *(message.stream, message.sequence, message.stored, self.hall, self.claimed),
            *(_plain(message.subject), compact(headers).decode(), message.body[:MAX_BODY]),
            *(len(message.body), self.reason, self.detail),
        )


class Row(NamedTuple):
    """An event and the message that it came as."""

    event: Event
    message: Message


@dataclass
class Sums:
    """What events add, by hall and day."""

    sums: dict[tuple[str, int], dict[str, int]] = field(
        default_factory=lambda: defaultdict[tuple[str, int], dict[str, int]](dict)
    )

    def add(self, hall: str, adds: Iterable[Add]) -> None:
        for day, name, n in adds:
            found = self.sums[hall, day]
            found[name] = found.get(name, 0) + n

    def copy(self) -> bytes:
        """The rows for COPY: hall, day, COLUMNS, counts."""
        lines: list[str] = []
        for (hall, day), found in self.sums.items():
            values, counts = _NOTHING.copy(), dict[str, int]()
            for name, n in found.items():
                if name in _PLACES:
                    values[_PLACES[name]] = str(n)
                else:
                    counts[name] = n
            told = "\t".join(values)
            lines.append(f"{hall}\t{day_date(day)}\t{told}\t{_escaped(_json(counts))}\n")
        return "".join(lines).encode()


def events_copy(rows: Sequence[Row]) -> bytes:
    """The rows for COPY: their number here, hall, id, type, source, subject, time, clock, data."""
    lines = [
        f"{number}\t{e.hall}\t{e.id}\t{e.type}\t{e.source}\t{_escaped(e.subject)}\t{e.time}\t"
        f"{e.clock}\t{_escaped(e.data)}\n"
        for number, (e, _) in enumerate(rows)
    ]
    return "".join(lines).encode()


def once(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Each event once, the first that came; and the others."""
    found: dict[tuple[str, str, str], Row] = {}
    others: list[Row] = []
    for row in rows:
        key = (row.event.hall, row.event.id, row.event.time)
        if key in found:
            others.append(row)
        else:
            found[key] = row
    return list(found.values()), others


def _escaped(text: str) -> str:
    """As COPY reads text (PostgreSQL, COPY, text format)."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\n" in text or "\r" in text or "\t" in text:
        text = text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return text


def _plain(text: str) -> str:
    return one_line(text, 500)


def _json(counts: dict[str, int]) -> str:
    return json.dumps(counts, ensure_ascii=False, separators=(",", ":")) if counts else "{}"
