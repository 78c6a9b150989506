"""Halls and classes compared, and the same as CSV.

Here: their requests. Not here: what is read (compare_query.py), and how places come about
(places.py).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web
from hall_gateway.console.once import Once
from hall_gateway.console.rendering import page

from hall_fleet.console import compare_query, csv_output
from hall_fleet.console.compare_query import ClassSum, Compared, Comparison
from hall_fleet.console.database import Connection
from hall_fleet.console.hall_query import hall_day
from hall_fleet.console.intervals import bar, floor_of
from hall_fleet.console.pages import FLEET, read

COMPARISONS = web.AppKey("comparisons", Once[Comparison])

PAGE = 50
MONTHS = 13
"""A month before the one that goes on is kept ready; so many are."""

HEADER = (
    *("class", "hall", "name", "place_best", "place_worst", "of", "ratings", "satisfaction"),
    *("satisfaction_low", "satisfaction_high", "minimum_ratings", "rated_share", "waits"),
    *("wait_p90_min", "days"),
)


@dataclass(frozen=True)
class Period:
    """A `day` or a `month`; `value`, `before` and `after` are what the page asks with."""

    kind: str
    value: str
    before: str
    after: str
    day: dt.date | None
    month: str | None
    goes_on: bool


def period(query: Mapping[str, str], today: dt.date) -> Period:
    """The day or the month that is asked for; this month when it names none that there is."""
    if (asked := query.get("day")) is not None:
        day = _date(asked) or today
        one = dt.timedelta(days=1)
        return Period("day", str(day), str(day - one), str(day + one), day, None, day >= today)
    first = (_date(f"{query.get('month', '')}-01") or today).replace(day=1)
    before = (first - dt.timedelta(days=1)).replace(day=1)
    after = (first + dt.timedelta(days=32)).replace(day=1)
    month = f"{first:%Y-%m}"
    goes_on = first >= today.replace(day=1)
    return Period("month", month, f"{before:%Y-%m}", f"{after:%Y-%m}", None, month, goes_on)


async def show(request: web.Request) -> web.StreamResponse:
    """`?day=` or `?month=`, `class`, and `from`, the first hall of the page."""
    asked, found = await _found(request)
    names = [each.name for each in found.classes]
    unclassed = any(each.row["class"] not in names for each in found.halls)
    chosen = _chosen(request.query.get("class"), [*names, *(["none"] if unclassed else [])])
    halls = _of(found, chosen)
    first = _first(request.query.get("from"), len(halls))
    shown = halls[first : first + PAGE]
    lows = [each.low for each in shown if each.enough and each.low is not None]
    spreads = [each.spread[0] for each in found.classes if each.spread]
    floor, wide_floor = floor_of(lows), floor_of(spreads)
    of_class = sum(each.place is not None for each in halls)

    def query(**changes: object) -> str:
        values = {asked.kind: asked.value, "class": chosen, **changes}
        return urlencode({name: value for name, value in values.items() if value})

    def line(each: Compared) -> tuple[float, ...]:
        return bar(each.low or 0.0, each.share or 0.0, each.high or 0.0, floor, 160)

    def spread(each: ClassSum) -> tuple[float, ...]:
        low, high = each.spread or (0.0, 0.0)
        return bar(low, each.share or 0.0, high, wide_floor, 160)

    return page(
        request,
        "compare.html",
        period=asked,
        found=found,
        chosen=chosen,
        unclassed=unclassed,
        halls=shown,
        count=len(halls),
        placed=of_class,
        first=first,
        size=PAGE,
        floor=floor,
        wide_floor=wide_floor,
        line=line,
        query=query,
        spread=spread,
    )


async def as_csv(request: web.Request) -> web.StreamResponse:
    """All halls that are compared, in the page's order."""
    asked, found = await _found(request)
    chosen = request.query.get("class", "")
    halls = _of(found, chosen) if chosen else found.halls
    counts: dict[str | None, int] = {}
    for each in halls:
        if each.place is not None:
            counts[each.row["class"]] = counts.get(each.row["class"], 0) + 1
    lines = (_line(each, counts) for each in halls)
    return csv_output.response(f"compare-{asked.value}.csv", HEADER, lines)


def _line(each: Compared, counts: Mapping[str | None, int]) -> tuple[csv_output.Value, ...]:
    row, place = each.row, each.place
    asked = row["asked"]
    told = (each.share, each.low, each.high) if each.enough else (None, None, None)
    return (
        row["class"],
        row["hall"],
        row["name"],
        place.best if place else None,
        place.worst if place else None,
        counts.get(row["class"]) if place else None,
        row["ratings"],
        *told,
        each.min_n,
        round(row["rated"] / asked, 4) if asked else None,
        row["waits"],
        row["wait_p90_min"],
        row["days"],
    )


async def _found(request: web.Request) -> tuple[Period, Comparison]:
    asked = period(request.query, hall_day(request.app[FLEET].now))

    def query(connection: Connection) -> Comparison:
        return compare_query.read(connection, asked.day, asked.month)

    return asked, await read(request, COMPARISONS, (asked.day, asked.month), query)


def _of(found: Comparison, chosen: str) -> list[Compared]:
    names = {each.name for each in found.classes}
    return [
        each
        for each in found.halls
        if each.row["class"] == chosen or (chosen == "none" and each.row["class"] not in names)
    ]


def _chosen(text: str | None, known: list[str]) -> str:
    return text if text in known else known[0] if known else ""


def _first(text: str | None, count: int) -> int:
    try:
        first = int(text or "0")
    except ValueError:
        return 0
    return min(max(0, first), max(0, count - 1)) // PAGE * PAGE


def _date(text: str) -> dt.date | None:
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2024 <= found.year <= 2200 else None


def routes() -> list[web.RouteDef]:
    return [web.get("/compare", show), web.get("/compare.csv", as_csv)]
