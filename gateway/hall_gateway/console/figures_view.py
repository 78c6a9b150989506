"""The figures of a day or a month, as their page shows them.

Here: which period is asked for, and what of a report becomes which chart. Not here: the figures
(hall_gateway.figures), the charts' geometry (charts.py), the page (pages_figures.py).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from hall_gateway.console.charts import Chart, Series, columns
from hall_gateway.console.words import Words
from hall_gateway.figures_model import Report
from hall_gateway.hall_clock import MINUTE_MS, HallClock

_LEAST = dt.date(2000, 1, 2)
_MOST = dt.date(9990, 1, 1)


@dataclass(frozen=True)
class Asked:
    """A period of the hall: `from_ms` until before `to_ms`. `value` and `before`, `after` are what
    the page asks with: 2026-11-22 or 2026-11."""

    kind: str
    value: str
    before: str
    after: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True)
class Pictures:
    """The charts; None where there is nothing to show."""

    arrivals: Chart | None
    waits: Chart | None
    windows: Chart | None
    footfall: Chart | None
    marks: Chart | None


def asked(query: Mapping[str, str], clock: HallClock, now: int) -> Asked:
    """The day or the month of a query; today when it names none that there is."""
    today = clock.date(now)
    if (text := query.get("month")) is not None:
        first = _date(f"{text}-01") or today.replace(day=1)
        following = (first + dt.timedelta(days=32)).replace(day=1)
        before = (first - dt.timedelta(days=1)).replace(day=1)
        return Asked(
            "month",
            f"{first:%Y-%m}",
            f"{before:%Y-%m}",
            f"{following:%Y-%m}",
            clock.day(first)[0],
            clock.day(following)[0],
        )
    day = _date(query.get("day", "")) or today
    from_ms, to_ms = clock.day(day)
    one = dt.timedelta(days=1)
    return Asked("day", str(day), str(day - one), str(day + one), from_ms, to_ms)


def pictures(report: Report, t: Words) -> Pictures:
    """The charts of a report."""
    hours = report.hours
    names = [f"{hour.hour}:00" for hour in hours]
    quarters = report.footfall.quarters
    satisfaction = report.service.satisfaction
    marks = getattr(satisfaction, "marks", {})
    return Pictures(
        columns(
            names,
            [
                Series(t("figures.taken"), [hour.taken for hour in hours]),
                Series(t("figures.entered"), [hour.entered for hour in hours]),
            ],
        ),
        columns(
            names,
            [
                Series(t("figures.median"), [minutes(h.service.wait.median_ms) for h in hours]),
                Series(t("figures.p90"), [minutes(h.service.wait.p90_ms) for h in hours]),
            ],
        ),
        columns(names, [Series(t("figures.open_windows"), [hour.open_windows for hour in hours])]),
        columns(
            [_clock(each.minute) for each in quarters],
            [Series(t("figures.entered"), [each.entered for each in quarters])],
        ),
        columns(
            [t(f"figures.mark{mark}") for mark in (5, 4, 3, 2, 1)],
            [Series(t("figures.ratings"), [marks.get(mark, 0) for mark in (5, 4, 3, 2, 1)])],
        )
        if sum(marks.values())
        else None,
    )


def minutes(ms: int | None) -> float | None:
    """Minutes with one decimal."""
    return None if ms is None else round(ms / MINUTE_MS, 1)


def _clock(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02}"


def _date(text: str) -> dt.date | None:
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return found if _LEAST <= found <= _MOST else None
