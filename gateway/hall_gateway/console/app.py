"""A hall's console as one aiohttp application.

Here: what it is put together from, and what it follows. Not here: what every console stands on
(foundation.py), sockets and signals (serve.py).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable

from aiohttp import web

from hall_gateway.console import (
    pages_alerts,
    pages_devices,
    pages_figures,
    pages_live,
    pages_sinks,
)
from hall_gateway.console.current import Current
from hall_gateway.console.foundation import foundation
from hall_gateway.console.gateway_link import GatewayLink
from hall_gateway.console.once import Once
from hall_gateway.console.pages import CONSOLE, Console, rendering
from hall_gateway.console.pictures import Pictures
from hall_gateway.console.rendering import unix_ms
from hall_gateway.console.stream import Stream
from hall_gateway.console.users import Users

SOCKET = "control.sock"
"""The gateway's control socket, beside its store."""

MINUTE_S = 60.0


def make_app(
    current: Current,
    users: Users,
    clock: Callable[[], int] = unix_ms,
    seconds: Callable[[], float] = time.monotonic,
) -> web.Application:
    """The console of the hall in `current`. `clock` gives unix ms, `seconds` monotonic s."""
    stream = Stream()
    app = foundation(current.config.console, users, rendering(clock), stream, seconds)
    link = GatewayLink(current.config.store.path.with_name(SOCKET), stream.tell)
    app[pages_live.PICTURES] = Pictures()
    app[pages_live.LOOKS] = Once(4)
    app[pages_figures.REPORTS] = Once(8)
    app[CONSOLE] = Console(current, link, stream, clock)
    for area in (pages_live, pages_figures, pages_alerts, pages_devices, pages_sinks):
        app.add_routes(area.routes())
    app.cleanup_ctx.append(_following)
    return app


async def _following(app: web.Application) -> AsyncGenerator[None]:
    """Follow the gateway, and the minutes, which pages show, while the server runs."""
    console = app[CONSOLE]
    tasks = [
        asyncio.create_task(console.link.follow()),
        asyncio.create_task(_minutes(console)),
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _minutes(console: Console) -> None:
    """An idle display's clock moves on, and what was not heard of for long becomes stale."""
    while True:
        await asyncio.sleep(MINUTE_S - console.clock() / 1000 % MINUTE_S + 0.01)
        console.stream.tell(["minute"])
