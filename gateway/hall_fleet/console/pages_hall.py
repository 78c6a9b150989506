"""One hall, and its days as CSV.

Here: their requests and the charts. Not here: what is read (hall_query.py).
"""

import datetime as dt
import math
from collections.abc import Sequence

from aiohttp import web
from hall_gateway.console.charts import Chart, Series, columns
from hall_gateway.console.once import Once
from hall_gateway.console.rendering import page, words_of
from hall_gateway.console.words import Words

from hall_fleet.console import csv_output, hall_query
from hall_fleet.console.database import Connection, Row
from hall_fleet.console.hall_query import DAYS, Hall
from hall_fleet.console.intervals import whiskers
from hall_fleet.console.pages import FLEET, read

HALLS = web.AppKey("halls", Once[Hall | None])

HEADER = (
    *("day", "events", "ratings", "satisfied", "satisfaction", "low", "high", "asked", "rated"),
    *("rated_share", "taken", "calls", "no_shows", "waits", "wait_mean_ms", "wait_p90_min"),
    *("handled", "handling_mean_ms", "overtime", "overtime_share"),
)


async def show(request: web.Request) -> web.StreamResponse:
    """What is known of it."""
    found, t = await _found(request), words_of(request)
    days = _every_day(found)
    about = found.about
    silent = request.app[FLEET].now - dt.timedelta(minutes=request.app[FLEET].config.offline_min)
    away = about["heard"] is None or about["heard"] < silent
    return page(
        request,
        "hall.html",
        here="/",
        about={**about, "away": away},
        state=found.state,
        days=[day for _, day in days if day is not None],
        satisfaction=whiskers(
            [(f"{day:%m-%d}", _interval(one, about["min_n"])) for day, one in days]
        ),
        waits=_columns(t, days, "fleet.wait_p90", "wait_p90_min"),
        rated=_rated(t, days),
        services=_columns(t, days, "fleet.taken", "taken"),
        events=found.events,
        poison=found.poison,
        shortfall=found.shortfall,
    )


async def as_csv(request: web.Request) -> web.StreamResponse:
    """The days that the page has."""
    found = await _found(request)
    lines = ([day[name] for name in HEADER] for day in found.days)
    return csv_output.response(f"{found.about['hall']}.csv", HEADER, lines)


async def _found(request: web.Request) -> Hall:
    hall, now = request.match_info["hall"], request.app[FLEET].now

    def query(connection: Connection) -> Hall | None:
        return hall_query.read(connection, hall, now)

    found = await read(request, HALLS, hall, query)
    if found is None:
        raise web.HTTPNotFound(text=words_of(request)("fleet.no_hall", hall=hall))
    return found


def _every_day(found: Hall) -> list[tuple[dt.date, Row | None]]:
    told = {day["day"]: day for day in found.days}
    first = found.today - dt.timedelta(days=DAYS - 1)
    every = [first + dt.timedelta(days=n) for n in range(DAYS)]
    return [(day, told.get(day)) for day in every]


def _interval(day: Row | None, min_n: int) -> tuple[float, float, float, bool] | None:
    if day is None or not day["ratings"]:
        return None
    low, share, high = (float(day[name]) for name in ("low", "satisfaction", "high"))
    return low, share, high, day["ratings"] >= min_n


def _columns(
    t: Words, days: Sequence[tuple[dt.date, Row | None]], title: str, name: str
) -> Chart | None:
    values = [None if day is None or day[name] is None else _finite(day[name]) for _, day in days]
    return columns([f"{day:%m-%d}" for day, _ in days], [Series(t(title), values)])


def _rated(t: Words, days: Sequence[tuple[dt.date, Row | None]]) -> Chart | None:
    values = [
        None if day is None or day["rated_share"] is None else 100 * float(day["rated_share"])
        for _, day in days
    ]
    return columns([f"{day:%m-%d}" for day, _ in days], [Series(t("fleet.rated"), values)], " %")


def _finite(value: float) -> float:
    """More than 240 minutes is drawn as 240."""
    return 240.0 if math.isinf(value) else float(value)


def routes() -> list[web.RouteDef]:
    hall = "{hall:[a-z0-9][a-z0-9-]{0,31}}"
    return [web.get(f"/hall/{hall}", show), web.get(f"/hall/{hall}/days.csv", as_csv)]
