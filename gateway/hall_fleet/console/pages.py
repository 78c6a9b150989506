"""What the fleet console's pages have in common.

Here: the head of every page, the reader's clock, and reading the record once for all who ask the
same. Not here: how a page is rendered (hall_gateway.console.rendering), what it is about
(pages_*.py).
"""

import datetime as dt
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web
from hall_gateway.console.guard import session_of
from hall_gateway.console.once import Once
from hall_gateway.console.rendering import MARK, Rendering, environment
from hall_gateway.console.words import Language, Words

from hall_fleet.console.database import Connection, Database, Row
from hall_fleet.console.settings import FleetConfig
from hall_fleet.console.watch import EVERY_S, Watch

PACKAGE = "hall_fleet.console"

NAVIGATION: list[tuple[str, str]] = [
    ("/", "halls"),
    ("/compare", "compare"),
    ("/refused", "refused"),
    ("/ingest", "ingest"),
]

ZONE = "fleet_zone"
"""The cookie with the minutes that a reader's clock is ahead of UTC."""

T = TypeVar("T")


@dataclass(frozen=True)
class Fleet:
    """What pages are made from. `clock` gives unix ms."""

    config: FleetConfig
    database: Database
    watch: Watch
    clock: Callable[[], int]

    @property
    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.clock() / 1000, dt.UTC)


FLEET = web.AppKey("fleet", Fleet)


def rendering(clock: Callable[[], int]) -> Rendering:
    """How the fleet's pages are rendered."""

    def words(request: web.Request, language: Language) -> Words:
        return Words(language, zone_of(request), (PACKAGE,))

    return Rendering(environment(PACKAGE), words, _more, clock)


def zone_of(request: web.Request) -> int:
    """Minutes ahead of UTC, as the reader chose, or as the settings have it."""
    try:
        chosen = int(request.cookies.get(ZONE, ""))
    except ValueError:
        return request.app[FLEET].config.utc_offset_min
    return chosen if -720 <= chosen <= 840 else request.app[FLEET].config.utc_offset_min


def zone_text(minutes: int) -> str:
    """As people write it: UTC+08:00."""
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _more(request: web.Request, t: Words) -> dict[str, Any]:
    """What every page has."""
    fleet = request.app[FLEET]
    forged = fleet.watch.forged if session_of(request) else 0
    return {
        "hall": fleet.config.name,
        "up": fleet.watch.up,
        "seen": fleet.watch.seen,
        "navigation": NAVIGATION,
        "counts": {"refused": (forged, t("refused.forged_count", n=forged))},
        "sheets": ("/static/fleet/fleet.css",),
        "zone": zone_text(t.offset_min),
        "ms": ms,
        "health": health,
        "number": number,
    }


async def read(
    request: web.Request,
    once: web.AppKey[Once[T]],
    what: Hashable,
    query: Callable[[Connection], T],
) -> T:
    """What `query` reads, which `what` says wholly; read once until there is news."""
    fleet = request.app[FLEET]

    def reading() -> T:
        with fleet.database.reading() as connection:
            return query(connection)

    key = (what, request[MARK], fleet.clock() // int(EVERY_S * 1000))
    return await request.app[once].get(key, reading)


def ms(at: dt.datetime | None) -> int | None:
    """Unix ms, as words take times."""
    return None if at is None else round(at.timestamp() * 1000)


def number(count: int | None) -> str:
    """A count as people read it: 24,851,590; a dash for none."""
    return "–" if count is None else f"{count:,}"


def health(hall: Row) -> tuple[str, str]:
    """The kind of sign and the word for how a hall is."""
    if hall["away"]:
        return "bad", "offline"
    if hall["status"] is None:
        return "rest", "mute"
    if hall["status"] == "failing":
        return "bad", "failing"
    if hall["status"] != "ok" or hall["problems"]:
        return "warn", "degraded"
    return "good", "ok"
