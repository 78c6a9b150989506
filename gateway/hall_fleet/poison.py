"""Poison as whoever looks after the record sees it.

Here: reading the newest. Not here: what makes a message poison (message.py, states.py), and putting
it into the table (record.py).
"""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row


class ReadError(Exception):
    """The record cannot be read: why, in one line."""


@dataclass(frozen=True)
class Found:
    """A row of hall.poison but for its body; `text` is the beginning of that as far as it is
    text."""

    received: datetime
    stream: str
    sequence: int
    hall: str | None
    claimed: str | None
    subject: str
    headers: dict[str, str]
    size: int
    reason: str
    detail: str
    text: str


_NEWEST = """
    SELECT received, stream, sequence, hall, claimed, subject, headers, size, reason, detail,
        encode(substring(body FROM 1 FOR 200), 'escape') AS text
    FROM hall.poison ORDER BY received DESC, number DESC LIMIT %s
"""


def newest(dsn: str, most: int) -> list[Found]:
    """At most so many; raises ReadError."""
    try:
        with (
            psycopg.connect(dsn, connect_timeout=10) as connection,
            connection.cursor(row_factory=class_row(Found)) as cursor,
        ):
            return cursor.execute(_NEWEST, (most,)).fetchall()
    except psycopg.Error as error:
        raise ReadError(" ".join(str(error).split())) from None
