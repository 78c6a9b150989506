"""The list of halls: what is asked for, and the one page of it that is read.

Here: search, filters, orders and keyset pages, in SQL. Not here: how they stand on a page
(templates/halls.html), what a browser may ask with (pages_halls.py).

A page begins after the last hall of the page before, in the order asked for (keyset), and not after
so many rows: no hall is skipped when others move meanwhile.
"""

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, LiteralString, TypeVar, get_args
from urllib.parse import urlencode

from hall_fleet.console.database import Connection, Row, row, rows

PAGE = 50
"""Halls on a page."""

MOST_CSV = 50_000
"""Halls in a CSV file."""

MAX_SEARCH = 64

Sort = Literal["trouble", "hall", "last", "satisfaction", "wait", "outbox"]
Status = Literal["any", "offline", "hour", "day", "problems", "alerts", "outbox", "missing"]
Class = Literal["any", "A", "B", "C", "D", "none"]

SORTS: tuple[Sort, ...] = get_args(Sort)
STATUSES: tuple[Status, ...] = get_args(Status)
CLASSES: tuple[Class, ...] = get_args(Class)

DOWNWARD: dict[Sort, bool] = {
    "trouble": True,
    "hall": False,
    "last": False,
    "satisfaction": False,
    "wait": True,
    "outbox": True,
}
"""Which way each order goes at first: what needs somebody comes first."""

_HALLS: LiteralString = """(
    SELECT h.*, r.ratings, r.satisfaction, r.low, r.high, r.asked, r.rated, r.waits,
        r.wait_p90_min, coalesce(c.min_n, 30) AS min_n,
        coalesce(h.heard < %(heard)s, true) AS away,
        coalesce(l.missing, 0) AS missing, coalesce(l.gone, 0) AS gone
    FROM hall.heard AS h
    LEFT JOIN hall.standing AS r ON r.span = 'recent' AND r.hall = h.hall
    LEFT JOIN hall.classes AS c ON c.class = h.class
    LEFT JOIN hall.shortfalls AS l ON l.hall = h.hall
) AS halls"""

_TROUBLE: LiteralString = """
    CASE WHEN away THEN 4 WHEN status = 'failing' THEN 3 WHEN status <> 'ok' OR problems > 0 THEN 2
        WHEN alerts > 0 OR missing > 0 OR gone > 0 THEN 1 ELSE 0 END * 1e6
        + least(problems, 99) * 1e3 + least(alerts, 99)
"""

_KEYS: dict[Sort, tuple[LiteralString, LiteralString]] = {
    # Upwards and downwards: what has no value comes last either way.
    "trouble": (_TROUBLE, _TROUBLE),
    "hall": ("0", "0"),
    "last": (
        "coalesce(extract(epoch FROM last_event), 1e12)",
        "coalesce(extract(epoch FROM last_event), -1e12)",
    ),
    "satisfaction": (
        "CASE WHEN ratings >= min_n THEN low ELSE 2 END",
        "CASE WHEN ratings >= min_n THEN low ELSE -1 END",
    ),
    "wait": ("coalesce(least(wait_p90_min, 1e6), 1e9)", "coalesce(least(wait_p90_min, 1e6), -1)"),
    "outbox": ("outbox", "outbox"),
}

_WHERE: dict[Status, LiteralString] = {
    "any": "true",
    "offline": "away",
    "hour": "coalesce(heard < %(now)s - interval '1 hour', true)",
    "day": "coalesce(heard < %(now)s - interval '1 day', true)",
    "problems": "(problems > 0 OR coalesce(status, 'ok') <> 'ok')",
    "alerts": "alerts > 0",
    "outbox": "outbox > 0",
    "missing": "(missing > 0 OR gone > 0)",
}


@dataclass(frozen=True)
class Place:
    """Where a page begins: after (or, going `back`, before) the hall with this key."""

    key: float
    hall: str
    back: bool = False

    @property
    def text(self) -> str:
        return f"{self.key!r}~{self.hall}"


@dataclass(frozen=True)
class Wanted:
    """What is asked for."""

    search: str = ""
    status: Status = "any"
    hall_class: Class = "any"
    sort: Sort = "trouble"
    down: bool = True
    place: Place | None = None

    def query(self, **changes: object) -> str:
        """The query that asks for this, with `changes`; without the place, unless it is given."""
        asked = {
            "q": self.search,
            "status": self.status,
            "class": self.hall_class,
            "sort": self.sort,
            "down": int(self.down),
            **changes,
        }
        return urlencode({name: value for name, value in asked.items() if value not in ("", "any")})


@dataclass(frozen=True)
class Page:
    """`halls` of `count` that fit; where the pages before and after begin, if there are any."""

    halls: list[Row]
    count: int
    before: Place | None
    after: Place | None


def wanted(query: Mapping[str, str]) -> Wanted:
    """What a browser asks for; what makes no sense is as if it were not there."""
    sort: Sort = _one_of(query.get("sort"), SORTS, "trouble")
    down = {"0": False, "1": True}.get(query.get("down", ""), DOWNWARD[sort])
    after, before = _place(query.get("after")), _place(query.get("before"))
    place = replace(before, back=True) if before and not after else after
    return Wanted(
        " ".join(query.get("q", "").replace("\0", "").split())[:MAX_SEARCH],
        _one_of(query.get("status"), STATUSES, "any"),
        _one_of(query.get("class"), CLASSES, "any"),
        sort,
        down,
        place,
    )


def read(
    connection: Connection, asked: Wanted, now: dt.datetime, offline_min: int, most: int = PAGE
) -> Page:
    """The page that is asked for."""
    values = {
        "now": now,
        "heard": now - dt.timedelta(minutes=offline_min),
        "search": asked.search.lower(),
        "class": asked.hall_class,
        "key": asked.place.key if asked.place else 0.0,
        "hall": asked.place.hall if asked.place else "",
        "most": most + 1,
    }
    found = rows(connection, page_sql(asked), values)
    more = len(found) > most
    halls = found[:most]
    back = asked.place is not None and asked.place.back
    if back:
        halls.reverse()
    if halls:
        count = halls[0]["matching"]
    else:
        counted = row(connection, count_sql(asked), values)
        count = counted["n"] if counted else 0
    first, last = (_key_of(halls[0]), _key_of(halls[-1])) if halls else (None, None)
    return Page(
        halls,
        count,
        first if (more if back else asked.place is not None) else None,
        last if back or more else None,
    )


def page_sql(asked: Wanted) -> LiteralString:
    """One page, in the order asked for; the other way round when it goes back."""
    key = _KEYS[asked.sort][asked.down]
    back = asked.place is not None and asked.place.back
    down = asked.down != back
    way: LiteralString = "DESC" if down else "ASC"
    rest: LiteralString = "ASC" if not back else "DESC"
    beyond: LiteralString = "true"
    if asked.place is not None:
        less: LiteralString = "<" if down else ">"
        beside: LiteralString = "<" if back else ">"
        beyond = (
            f"(key {less} %(key)s::float8 OR key = %(key)s::float8 "
            f'AND hall COLLATE "C" {beside} %(hall)s)'
        )
    return (
        f"SELECT * FROM (SELECT *, ({key})::float8 AS key, count(*) OVER () AS matching "
        f"FROM {_HALLS} WHERE {_where(asked)}) "
        f'AS found WHERE {beyond} ORDER BY key {way}, hall COLLATE "C" {rest} LIMIT %(most)s'
    )


def count_sql(asked: Wanted) -> LiteralString:
    """How many halls there are of what is asked for."""
    return f"SELECT count(*) AS n FROM {_HALLS} WHERE {_where(asked)}"


def _where(asked: Wanted) -> LiteralString:
    where: LiteralString = _WHERE[asked.status]
    if asked.search:
        where += " AND strpos(lower(concat(hall, ' ', name)), %(search)s) > 0"
    if asked.hall_class == "none":
        where += " AND class IS NULL"
    elif asked.hall_class != "any":
        where += " AND class = %(class)s"
    return where


TOTALS_SQL: LiteralString = (
    """
    SELECT count(*) AS halls, count(*) FILTER (WHERE away) AS away,
        count(*) FILTER (WHERE NOT away AND (problems > 0 OR coalesce(status, 'ok') <> 'ok'))
            AS troubled,
        count(*) FILTER (WHERE alerts > 0) AS alerted, sum(alerts)::bigint AS alerts,
        sum(outbox)::bigint AS outbox, count(*) FILTER (WHERE outbox > 0) AS behind,
        coalesce(sum(ratings), 0)::bigint AS ratings,
        coalesce(sum(round(satisfaction::numeric * ratings)), 0)::bigint AS satisfied,
        max(last_received) AS last_received
    FROM """
    + _HALLS
)


def totals(connection: Connection, now: dt.datetime, offline_min: int) -> Row:
    """Of all halls."""
    values = {"heard": now - dt.timedelta(minutes=offline_min)}
    found = row(connection, TOTALS_SQL, values)
    assert found is not None
    return found


def _key_of(hall: Row) -> Place:
    return Place(hall["key"], hall["hall"])


def _place(text: str | None) -> Place | None:
    key, _, hall = (text or "").partition("~")
    try:
        number = float(key)
    except ValueError:
        return None
    fits = re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", hall)
    return Place(number, hall) if fits and math.isfinite(number) else None


T = TypeVar("T")


def _one_of(text: str | None, known: tuple[T, ...], otherwise: T) -> T:
    return next((each for each in known if each == text), otherwise)
