"""Everything that is known of one hall.

Here: SQL. Not here: how it looks (templates/hall.html).
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, LiteralString, cast

from hall_fleet.console.database import Connection, Row, row, rows

EVENTS = 40
POISON = 10
DAYS = 31

HALL_SQL: LiteralString = """
    SELECT h.*, s.state, r.ratings, r.satisfied, r.satisfaction, r.low, r.high, r.asked, r.rated,
        r.waits, r.wait_ms, r.wait_p90_min, r.handled, r.handling_ms, r.overtime, r.calls,
        r.no_shows, coalesce(c.min_n, 30) AS min_n
    FROM hall.heard AS h
    LEFT JOIN hall.halls AS s ON s.hall = h.hall
    LEFT JOIN hall.standing AS r ON r.span = 'recent' AND r.hall = h.hall
    LEFT JOIN hall.classes AS c ON c.class = h.class
    WHERE h.hall = %(hall)s
"""

DAYS_SQL: LiteralString = """
    SELECT day, events, ratings, satisfied, satisfaction, satisfaction_low AS low,
        satisfaction_high AS high, asked, rated, rated_share, taken, calls, no_shows, waits,
        wait_mean_ms, wait_p90_min, handled, handling_mean_ms, overtime, overtime_share
    FROM hall_figures.hall_day WHERE hall = %(hall)s AND day BETWEEN %(first)s AND %(last)s
    ORDER BY day
"""

EVENTS_SQL: LiteralString = """
    SELECT id, type, subject, time, clock, received, data FROM hall.events
    WHERE hall = %(hall)s AND time <= %(until)s AND time >= %(since)s
    ORDER BY time DESC, id DESC LIMIT %(most)s
"""

SHORTFALL_SQL: LiteralString = """
    SELECT coalesce(missing, 0) AS missing, asked_at, again, gone FROM hall.shortfalls
    WHERE hall = %(hall)s AND (missing > 0 OR again > 0 OR gone > 0)
"""

POISON_SQL: LiteralString = """
    SELECT number, received, claimed, subject, reason, detail FROM hall.poison
    WHERE hall = %(hall)s ORDER BY received DESC LIMIT %(most)s
"""


@dataclass(frozen=True)
class Hall:
    """`about` and `state` as the hall told them, `days` in their order, the newest `events` and
    `poison` first; its `shortfall`, if the servers ever lost something of it; `today` as halls
    count days."""

    about: Row
    state: dict[str, Any]
    days: list[Row]
    events: list[Row]
    poison: list[Row]
    shortfall: Row | None
    today: dt.date


def read(connection: Connection, hall: str, now: dt.datetime) -> Hall | None:
    """None for a hall that was never heard of."""
    about = row(connection, HALL_SQL, {"hall": hall})
    poison = rows(connection, POISON_SQL, {"hall": hall, "most": POISON})
    if about is None:
        return None
    today = hall_day(now)
    first = today - dt.timedelta(days=DAYS - 1)
    last = about["last_event"] or now
    values = {
        "hall": hall,
        "until": now + dt.timedelta(days=1),
        # Of what the newest month or two have: no search through all of them.
        "since": min(last, now) - dt.timedelta(days=DAYS),
        "most": EVENTS,
    }
    state: Any = about.pop("state")
    return Hall(
        about,
        cast("dict[str, Any]", state) if isinstance(state, dict) else {},
        rows(connection, DAYS_SQL, {"hall": hall, "first": first, "last": today}),
        rows(connection, EVENTS_SQL, values),
        poison,
        row(connection, SHORTFALL_SQL, {"hall": hall}),
        today,
    )


def hall_day(now: dt.datetime) -> dt.date:
    """The day that halls have: from 3 o'clock, UTC+8, as hall.today() has it."""
    return (now.astimezone(dt.UTC) + dt.timedelta(hours=5)).date()
