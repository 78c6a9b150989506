"""The record itself: what was refused, and who fills it.

Here: SQL. Not here: how it looks (templates/refused.html, templates/ingest.html).
"""

import datetime as dt
from dataclasses import dataclass
from typing import LiteralString

from hall_fleet.console.database import Connection, Row, row, rows

PAGE = 50
MOST_COUNTED = 20_000
"""Of what was refused lately; more are told as more."""

DAYS = 7

COUNTS_SQL: LiteralString = """
    SELECT reason, count(*) AS n, count(DISTINCT hall) AS halls, max(received) AS last FROM (
        SELECT reason, hall, received FROM hall.poison WHERE received > %(since)s
        ORDER BY received DESC LIMIT %(most)s
    ) AS lately GROUP BY reason ORDER BY n DESC, reason
"""

FORGED_SQL: LiteralString = """
    SELECT hall, count(*) AS n, (sum(count(*)) OVER ())::bigint AS messages,
        count(*) OVER () AS halls
    FROM (
        SELECT hall, received FROM hall.poison WHERE reason = 'hall' AND received > %(since)s
        ORDER BY received DESC LIMIT %(most)s
    ) AS lately GROUP BY hall ORDER BY n DESC, max(received) DESC LIMIT 6
"""

WORKERS_SQL: LiteralString = """
    SELECT * FROM hall.workers WHERE seen > %(since)s ORDER BY seen DESC LIMIT 50
"""

MADE_SQL: LiteralString = "SELECT made FROM hall.standing_made WHERE span = 'recent'"

STATE_SQL: LiteralString = "SELECT max(state_stored) AS last FROM hall.halls"

SHORTFALLS_SQL: LiteralString = """
    SELECT coalesce(sum(missing), 0)::bigint AS missing, coalesce(sum(again), 0)::bigint AS again,
        coalesce(sum(gone), 0)::bigint AS gone,
        count(*) FILTER (WHERE missing > 0) AS missing_in,
        count(*) FILTER (WHERE again > 0) AS again_in, count(*) FILTER (WHERE gone > 0) AS gone_in
    FROM hall.shortfalls
"""


@dataclass(frozen=True)
class Refused:
    """Counts by reason of the last days (of at most `MOST_COUNTED`), and a page of the list."""

    counts: list[Row]
    total: int
    items: list[Row]
    before: "Place | None"
    after: "Place | None"


@dataclass(frozen=True)
class Place:
    """Where a page of the list begins: beside this message."""

    received: dt.datetime
    number: int

    @property
    def text(self) -> str:
        return f"{self.received.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}~{self.number}"


def place(text: str | None) -> Place | None:
    """What `text` of a place says; None for what says nothing."""
    at, _, number = (text or "").partition("~")
    try:
        received = dt.datetime.strptime(at, "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=dt.UTC)
        found = Place(received, int(number))
    except ValueError:
        return None
    return found if 0 <= found.number < 2**63 else None


@dataclass(frozen=True)
class Asked:
    """What of the refused: a `reason`, a `hall`; the page below `at`, or above."""

    reason: str = ""
    hall: str = ""
    at: Place | None = None
    up: bool = False


def counts(connection: Connection, now: dt.datetime) -> list[Row]:
    """What was refused in the last DAYS, by reason."""
    values = {"since": now - dt.timedelta(days=DAYS), "most": MOST_COUNTED}
    return rows(connection, COUNTS_SQL, values)


def forged(connection: Connection, now: dt.datetime) -> list[Row]:
    """Who spoke for other halls in the last DAYS, the six who did most; in each row how many
    `messages` and `halls` there are in all."""
    values = {"since": now - dt.timedelta(days=DAYS), "most": MOST_COUNTED}
    return rows(connection, FORGED_SQL, values)


def refused(connection: Connection, asked: Asked, now: dt.datetime, most: int = PAGE) -> Refused:
    found = rows(connection, list_sql(asked), list_values(asked, most))
    more = len(found) > most
    items = found[:most]
    if asked.up:
        items.reverse()
    told = counts(connection, now)
    earlier = more if asked.up else asked.at is not None
    later = asked.up or more
    return Refused(
        told,
        sum(each["n"] for each in told),
        items,
        Place(items[0]["received"], items[0]["number"]) if items and earlier else None,
        Place(items[-1]["received"], items[-1]["number"]) if items and later else None,
    )


def list_sql(asked: Asked) -> LiteralString:
    """A page, the newest first; upwards, the other way round."""
    sql: LiteralString = """
        SELECT number, stream, sequence, received, hall, claimed, subject, size, reason, detail,
            headers, substring(body FROM 1 FOR 400) AS body
        FROM hall.poison WHERE true"""
    if asked.reason:
        sql += " AND reason = %(reason)s"
    if asked.hall:
        sql += " AND hall = %(hall)s"
    if asked.at is not None:
        beyond: LiteralString = ">" if asked.up else "<"
        sql += f" AND (received, number) {beyond} (%(received)s, %(number)s)"
    way: LiteralString = "ASC" if asked.up else "DESC"
    return sql + f" ORDER BY received {way}, number {way} LIMIT %(most)s"


def list_values(asked: Asked, most: int = PAGE) -> dict[str, object]:
    values: dict[str, object] = {"reason": asked.reason, "hall": asked.hall, "most": most + 1}
    at = asked.at
    return values if at is None else {**values, "received": at.received, "number": at.number}


@dataclass(frozen=True)
class Ingest:
    """Who fills the record, newest first; how many events wait, when that was last looked at; the
    last of each kind."""

    workers: list[Row]
    pending: int | None
    last_commit: dt.datetime | None
    last_state: dt.datetime | None
    figures_made: dt.datetime | None


def shortfalls(connection: Connection) -> Row:
    """What the servers lost, of all halls: what is missing now, what was told again and what is
    gone for good, and of how many halls each."""
    found = row(connection, SHORTFALLS_SQL, {})
    assert found is not None
    return found


def ingest(connection: Connection, now: dt.datetime) -> Ingest:
    workers = rows(connection, WORKERS_SQL, {"since": now - dt.timedelta(days=2)})
    made, state = row(connection, MADE_SQL, {}), row(connection, STATE_SQL, {})
    commits = [each["last_commit"] for each in workers if each["last_commit"] is not None]
    pending = next(
        (each["stream_pending"] for each in workers if each["stream_pending"] is not None), None
    )
    return Ingest(
        workers,
        pending,
        max(commits, default=None),
        state["last"] if state else None,
        made["made"] if made else None,
    )
