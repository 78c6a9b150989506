"""What was refused, who fills the record, and the reader's clock.

Here: their requests. Not here: what is read (record_query.py).
"""

import re
from urllib.parse import urlencode

from aiohttp import web
from hall_gateway.console.guard import needs, user_of
from hall_gateway.console.once import Once
from hall_gateway.console.rendering import keep, own_path, page

from hall_fleet.console import csv_output, record_query
from hall_fleet.console.database import Connection, Row
from hall_fleet.console.pages import FLEET, ZONE, read, zone_text
from hall_fleet.console.record_query import Asked, Ingest, Refused

REFUSALS = web.AppKey("refusals", Once[Refused])
INGESTS = web.AppKey("ingests", Once[tuple[Ingest, Row]])

REASONS = ("form", "hall", "time", "old", "size", "data", "refused")
"""Why a message is no event, as docs/reference/fleet-schema.md has it."""

MOST_CSV = 10_000

HEADER = (
    *("received", "hall", "claimed", "reason", "detail", "subject", "size"),
    *("stream", "sequence"),
)

ZONES = sorted((*range(-720, 841, 60), -570, -210, 210, 270, 330, 345, 390, 525, 570, 630, 765))
"""Minutes ahead of UTC that clocks on land are."""


async def refused(request: web.Request) -> web.StreamResponse:
    """`?reason=`, `hall`, and `after` or `before`."""
    asked, now = _asked(request), request.app[FLEET].now

    def query(connection: Connection) -> Refused:
        return record_query.refused(connection, asked, now)

    def link(**changes: object) -> str:
        values = {"reason": asked.reason, "hall": asked.hall, **changes}
        return urlencode({name: value for name, value in values.items() if value})

    return page(
        request,
        "refused.html",
        asked=asked,
        found=await read(request, REFUSALS, asked, query),
        reasons=REASONS,
        days=record_query.DAYS,
        most=record_query.MOST_COUNTED,
        link=link,
        text_of=_text_of,
        sees_text=user_of(request).may("manager"),
    )


async def refused_csv(request: web.Request) -> web.StreamResponse:
    """The newest that the list has, without what they say."""
    found, now = _asked(request), request.app[FLEET].now
    asked = Asked(found.reason, found.hall)

    def query(connection: Connection) -> Refused:
        return record_query.refused(connection, asked, now, MOST_CSV)

    told = await read(request, REFUSALS, (asked, "csv"), query)
    lines = ([each[name] for name in HEADER] for each in told.items)
    return csv_output.response("refused.csv", HEADER, lines)


async def ingest(request: web.Request) -> web.StreamResponse:
    """Who fills the record, and what is missing in it."""
    now = request.app[FLEET].now

    def query(connection: Connection) -> tuple[Ingest, Row]:
        return record_query.ingest(connection, now), record_query.shortfalls(connection)

    found, lost = await read(request, INGESTS, "ingest", query)
    return page(request, "ingest.html", found=found, lost=lost)


async def zone(request: web.Request) -> web.StreamResponse:
    """The form for the reader's clock."""
    zones = [(minutes, zone_text(minutes)) for minutes in ZONES]
    to = own_path(request.query.get("to", ""), "/")
    return page(request, "zone.html", zones=zones, to=to)


@needs("viewer")
async def choose_zone(request: web.Request) -> web.StreamResponse:
    form = await request.post()
    minutes = str(form.get("minutes", ""))
    if not re.fullmatch(r"-?\d{1,3}", minutes) or int(minutes) not in ZONES:
        raise web.HTTPBadRequest(text="minutes ahead of UTC are missing")
    response = web.HTTPSeeOther(own_path(str(form.get("to", "")), "/"))
    keep(request, response, ZONE, minutes)
    raise response


def _asked(request: web.Request) -> Asked:
    query = request.query
    reason = query.get("reason", "")
    hall = query.get("hall", "").strip()
    after, before = record_query.place(query.get("after")), record_query.place(query.get("before"))
    fits = re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", hall)
    return Asked(
        reason if reason in REASONS else "",
        hall if fits else "",
        after or before,
        before is not None and after is None,
    )


def _text_of(item: Row) -> str:
    """The beginning of what a message says, for people."""
    return bytes(item["body"]).decode("utf-8", "replace")


def routes() -> list[web.RouteDef]:
    return [
        web.get("/refused", refused),
        web.get("/refused.csv", refused_csv),
        web.get("/ingest", ingest),
        web.get("/zone", zone),
        web.post("/zone", choose_zone),
    ]
