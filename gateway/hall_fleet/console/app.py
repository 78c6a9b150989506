"""The fleet console as one aiohttp application.

Here: what it is put together from, and what it follows. Not here: what every console stands on
(hall_gateway.console.foundation), sockets and signals (serve.py).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from aiohttp import web
from hall_gateway.console.foundation import foundation
from hall_gateway.console.once import Once
from hall_gateway.console.rendering import STREAM, static_folder, unix_ms
from hall_gateway.console.stream import Stream
from hall_gateway.console.users import Users

from hall_fleet.console import pages_compare, pages_hall, pages_halls, pages_record
from hall_fleet.console.database import Database
from hall_fleet.console.pages import FLEET, PACKAGE, Fleet, rendering
from hall_fleet.console.settings import FleetConfig
from hall_fleet.console.watch import Watch

MINUTE_S = 60.0


def make_app(
    config: FleetConfig,
    users: Users,
    clock: Callable[[], int] = unix_ms,
    seconds: Callable[[], float] = time.monotonic,
) -> web.Application:
    """The console of the record in `config`. `clock` gives unix ms, `seconds` monotonic s."""
    stream = Stream()
    app = foundation(config.console, users, rendering(clock), stream, seconds)
    database = Database(config.postgres.dsn)
    app[FLEET] = Fleet(config, database, Watch(database, clock, stream.tell), clock)
    # What is kept of the pages of others: a comparison of ten thousand halls is large.
    app[pages_halls.FRONTS] = Once(1)
    app[pages_halls.LISTS] = Once(32)
    app[pages_halls.FILES] = Once(1)
    app[pages_hall.HALLS] = Once(16)
    app[pages_compare.COMPARISONS] = Once(2)
    app[pages_record.REFUSALS] = Once(8)
    app[pages_record.INGESTS] = Once(2)
    for area in (pages_halls, pages_hall, pages_compare, pages_record):
        app.add_routes(area.routes())
    app.router.add_static("/static/fleet/", Path(str(static_folder(PACKAGE))), append_version=False)
    app.cleanup_ctx.append(_following)
    return app


async def _following(app: web.Application) -> AsyncGenerator[None]:
    """Follow the record, and the minutes, which pages show, while the server runs."""
    fleet = app[FLEET]
    fleet.database.open()
    tasks = [
        asyncio.create_task(fleet.watch.follow()),
        asyncio.create_task(_minutes(fleet, app[STREAM])),
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.to_thread(fleet.database.close)


async def _minutes(fleet: Fleet, stream: Stream) -> None:
    """Who was not heard of for long becomes offline."""
    while True:
        await asyncio.sleep(MINUTE_S - fleet.clock() / 1000 % MINUTE_S + 0.01)
        stream.tell(["minute"])
