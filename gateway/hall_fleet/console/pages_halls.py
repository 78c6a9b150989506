"""The list of halls, and the same as CSV.

Here: their requests. Not here: what is read (halls_query.py).
"""

from dataclasses import dataclass

from aiohttp import web
from hall_gateway.console.once import Once
from hall_gateway.console.rendering import page

from hall_fleet.console import csv_output, halls_query, record_query
from hall_fleet.console.database import Connection, Row
from hall_fleet.console.halls_query import CLASSES, DOWNWARD, SORTS, STATUSES, Page, Wanted
from hall_fleet.console.pages import FLEET, read


@dataclass(frozen=True)
class Front:
    """All halls summed up, who spoke for others, and who fills the record."""

    totals: Row
    forged: list[Row]
    ingest: record_query.Ingest


FRONTS = web.AppKey("fronts", Once[Front])
LISTS = web.AppKey("lists", Once[Page])
FILES = web.AppKey("files", Once[Page])

HEADER = (
    *("hall", "name", "class", "health", "problems", "version", "last_event", "heard", "outbox"),
    *("ratings", "satisfaction", "satisfaction_low", "satisfaction_high", "minimum_ratings"),
    *("waits", "wait_p90_min", "alerts", "devices", "devices_online", "missing", "gone"),
)


async def show(request: web.Request) -> web.StreamResponse:
    """`?q=`, `status`, `class`, `sort`, `down`, `after` or `before`; `?wall` for a large screen."""
    fleet, asked = request.app[FLEET], halls_query.wanted(request.query)
    now, offline = fleet.now, fleet.config.offline_min

    def query_front(connection: Connection) -> Front:
        return Front(
            halls_query.totals(connection, now, offline),
            record_query.forged(connection, now),
            record_query.ingest(connection, now),
        )

    def query_list(connection: Connection) -> Page:
        return halls_query.read(connection, asked, now, offline)

    front = await read(request, FRONTS, "front", query_front)
    listed = await read(request, LISTS, asked, query_list)
    return page(
        request,
        "halls.html",
        front=front,
        listed=listed,
        asked=asked,
        statuses=STATUSES,
        classes=CLASSES,
        sorts=SORTS,
        downward=DOWNWARD,
        offline_min=offline,
        days=record_query.DAYS,
    )


async def as_csv(request: web.Request) -> web.StreamResponse:
    """All halls that the list has, in its order."""
    fleet, found = request.app[FLEET], halls_query.wanted(request.query)
    asked = Wanted(found.search, found.status, found.hall_class, found.sort, found.down)
    now, offline = fleet.now, fleet.config.offline_min

    def query(connection: Connection) -> Page:
        return halls_query.read(connection, asked, now, offline, halls_query.MOST_CSV)

    found_page = await read(request, FILES, asked, query)
    return csv_output.response("halls.csv", HEADER, map(_line, found_page.halls))


def _line(hall: Row) -> tuple[csv_output.Value, ...]:
    enough = (hall["ratings"] or 0) >= hall["min_n"]
    names = ("hall", "name", "class")
    satisfaction = ("satisfaction", "low", "high") if enough else ()
    return (
        *(hall[name] for name in names),
        "offline" if hall["away"] else hall["status"],
        *(hall[name] for name in ("problems", "version", "last_event", "heard", "outbox")),
        hall["ratings"] or 0,
        *((hall[name] for name in satisfaction) if enough else (None, None, None)),
        hall["min_n"],
        *(hall[name] for name in ("waits", "wait_p90_min", "alerts", "devices", "devices_online")),
        *(hall["missing"], hall["gone"]),
    )


def routes() -> list[web.RouteDef]:
    return [web.get("/", show), web.get("/halls.csv", as_csv)]
