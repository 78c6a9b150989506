"""Halls and classes beside each other, over a day or a month.

Here: SQL, and what it adds up to. Not here: places (places.py), how it looks
(templates/compare.html).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from hall_gateway.kpi_math import share, wilson

from hall_fleet.console.database import Connection, Row, rows
from hall_fleet.console.places import Range, places

DAY_SQL: LiteralString = """
    SELECT d.hall, h.name, h.class, 1 AS days, d.events,
        d.mark5 + d.mark4 + d.mark3 + d.mark2 + d.mark1 AS ratings, d.mark5 + d.mark4 AS satisfied,
        d.asked, d.rated, d.waits, d.wait_ms, hall.p90_min(ARRAY[
            d.w0, d.w1, d.w2, d.w3, d.w4, d.w5, d.w6, d.w7, d.w8, d.w9, d.w10, d.w11, d.w12, d.w13,
            d.w14, d.w15, d.w16, d.w17, d.w18, d.w19, d.w20, d.w21, d.w22, d.w23
        ]::bigint[]) AS wait_p90_min
    FROM hall.days AS d LEFT JOIN hall.halls AS h USING (hall)
    WHERE d.day = %(day)s
"""

SPAN_SQL: LiteralString = """
    SELECT r.hall, h.name, h.class, r.days, r.events, r.ratings, r.satisfied, r.asked, r.rated,
        r.waits, r.wait_ms, r.wait_p90_min
    FROM hall.standing AS r LEFT JOIN hall.halls AS h USING (hall)
    WHERE r.span = %(span)s
"""

MADE_SQL: LiteralString = "SELECT made FROM hall.standing_made WHERE span = %(span)s"

CLASSES_SQL: LiteralString = "SELECT class, min_n, wait_p90_min FROM hall.classes ORDER BY class"

FEW = 30
"""Ratings that a hall without a class needs: as class B."""


@dataclass(frozen=True)
class Compared:
    """A hall: its sums, and its interval and `place` if it has `enough` ratings."""

    row: Row
    share: float | None
    low: float | None
    high: float | None
    enough: bool
    min_n: int
    place: Range | None


@dataclass(frozen=True)
class ClassSum:
    """All halls of a class: `enough` of them have as many ratings as the class asks for; in
    `kept` of `waited` nine in ten customers waited no longer than its target. `spread`: the shares
    of those with enough ratings, from the tenth percentile to the ninetieth."""

    name: str
    halls: int
    enough: int
    min_n: int
    ratings: int
    satisfied: int
    share: float | None
    low: float | None
    high: float | None
    spread: tuple[float, float] | None
    rated_share: float | None
    wait_mean_ms: int | None
    waited: int
    kept: int
    target_min: int


@dataclass(frozen=True)
class Comparison:
    """`halls` by class, each class from the highest lower bound; those with too few ratings last,
    by their name. `made`: when the sums of a month were made."""

    classes: list[ClassSum]
    halls: list[Compared]
    made: dt.datetime | None


def read(connection: Connection, day: dt.date | None, month: str | None) -> Comparison:
    """Of a `day`, or of a `month` ("2026-11")."""
    made = None
    if day is not None:
        found = rows(connection, DAY_SQL, {"day": day})
    else:
        found = rows(connection, SPAN_SQL, {"span": month})
        when = rows(connection, MADE_SQL, {"span": month})
        made = when[0]["made"] if when else None
    needs = {each["class"]: each for each in rows(connection, CLASSES_SQL, {})}
    halls: list[Compared] = []
    sums: list[ClassSum] = []
    for name in [*needs, None]:
        own = [
            each for each in found if (each["class"] if each["class"] in needs else None) == name
        ]
        min_n = needs[name]["min_n"] if name else FEW
        # Without a class there is nobody to be compared with.
        compared = _compared(own, min_n, ranked=name is not None)
        halls += compared
        if name and own:
            sums.append(_sum(name, compared, min_n, needs[name]["wait_p90_min"]))
    return Comparison(sums, halls, made)


def _compared(found: Sequence[Row], min_n: int, *, ranked: bool) -> list[Compared]:
    plain: list[Compared] = []
    for each in found:
        low, high = wilson(each["satisfied"], each["ratings"]) or (None, None)
        enough = each["ratings"] >= min_n
        told = share(each["satisfied"], each["ratings"])
        plain.append(Compared(each, told, low, high, enough, min_n, None))
    enough = [each for each in plain if each.enough and ranked]
    few = [each for each in plain if not (each.enough and ranked)]
    ranges = places([(each.low or 0.0, each.high or 0.0) for each in enough])
    told = [
        Compared(each.row, each.share, each.low, each.high, True, min_n, place)
        for each, place in zip(enough, ranges, strict=True)
    ]
    told.sort(key=lambda each: (-(each.low or 0.0), -(each.high or 0.0), each.row["hall"]))
    few.sort(key=lambda each: each.row["hall"])
    return told + few


def _sum(name: str, halls: Sequence[Compared], min_n: int, target_min: int) -> ClassSum:
    def total(column: str) -> int:
        return sum(each.row[column] for each in halls)

    ratings, satisfied, waits = total("ratings"), total("satisfied"), total("waits")
    low, high = wilson(satisfied, ratings) or (None, None)
    shares = sorted(each.share or 0.0 for each in halls if each.enough)
    waited = [each for each in halls if each.row["wait_p90_min"] is not None]
    return ClassSum(
        name,
        len(halls),
        sum(each.enough for each in halls),
        min_n,
        ratings,
        satisfied,
        share(satisfied, ratings),
        low,
        high,
        (shares[(len(shares) - 1) // 10], shares[-1 - (len(shares) - 1) // 10]) if shares else None,
        share(total("rated"), total("asked")),
        (2 * total("wait_ms") + waits) // (2 * waits) if waits else None,
        len(waited),
        sum(each.row["wait_p90_min"] <= target_min for each in waited),
        target_min,
    )
