"""The console as one aiohttp application.

Here: what it is put together from, and errors as pages. Not here: sockets and signals (serve.py).
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from hall_gateway.console import (
    guard,
    pages_alerts,
    pages_devices,
    pages_figures,
    pages_live,
    pages_login,
    pages_sinks,
)
from hall_gateway.console.current import Current
from hall_gateway.console.gateway_link import GatewayLink
from hall_gateway.console.once import Once
from hall_gateway.console.pages import (
    CONSOLE,
    MARK,
    Console,
    environment,
    page,
    static_folder,
    unix_ms,
)
from hall_gateway.console.pictures import Pictures
from hall_gateway.console.reading import ReadError
from hall_gateway.console.screens import Screens
from hall_gateway.console.sessions import LoginForms, Sessions
from hall_gateway.console.stream import Stream
from hall_gateway.console.throttle import Throttle
from hall_gateway.console.users import Users

log = logging.getLogger(__name__)

MAX_BODY = 16 * 1024
"""Bytes of a form."""

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
    app = web.Application(
        client_max_size=MAX_BODY, middlewares=[guard.headers, errors_as_pages, guard.guard]
    )
    settings = current.config.console
    stream = Stream()
    link = GatewayLink(current.config.store.path.with_name(SOCKET), stream.tell)
    app[guard.SETTINGS] = settings
    app[guard.USERS] = users
    screens = Screens(users.path.with_name("console-screens.json"), lambda: clock() / 1000)
    app[guard.SESSIONS] = Sessions(settings.idle_min * 60.0, seconds, screens)
    app[guard.LOGIN_FORMS] = LoginForms()
    app[pages_login.THROTTLE] = Throttle(seconds)
    app[pages_login.JUDGE] = pages_login.Judge()
    app[pages_live.PICTURES] = Pictures()
    app[pages_live.LOOKS] = Once(4)
    app[pages_figures.REPORTS] = Once(8)
    app[CONSOLE] = Console(current, link, stream, clock, environment())
    areas = (pages_live, pages_figures, pages_alerts, pages_devices, pages_sinks, pages_login)
    for area in areas:
        app.add_routes(area.routes())
    app.router.add_static("/static/", Path(str(static_folder())), append_version=False)
    app.on_response_prepare.append(guard.on_prepare)
    app.on_shutdown.append(_hang_up)
    app.cleanup_ctx.append(_following)
    return app


@web.middleware
async def errors_as_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong, in words and in the reader's language."""
    request[MARK] = request.app[CONSOLE].stream.mark
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return page(request, "error.html", error.status, error=error.status, why=error.text or "")
    except ReadError as error:
        log.error("%s", error)
        return page(request, "error.html", 503, error=503, why=str(error))
    except Exception:
        log.exception("%s %r failed", request.method, request.path)
        return page(request, "error.html", 500, error=500, why="")


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


async def _hang_up(app: web.Application) -> None:
    app[CONSOLE].stream.close()
