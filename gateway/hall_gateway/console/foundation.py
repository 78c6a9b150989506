"""What every console stands on, as one aiohttp application: the guard, logging in, errors, news.

Here: what it is put together from. Not here: any page but the login (a console's own app.py),
sockets and signals (listener.py).
"""

from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from hall_gateway.config_console import ConsoleConfig
from hall_gateway.console import guard, pages_login
from hall_gateway.console.rendering import (
    RENDERING,
    STREAM,
    Rendering,
    errors_as_pages,
    static_folder,
)
from hall_gateway.console.screens import Screens
from hall_gateway.console.sessions import LoginForms, Sessions
from hall_gateway.console.stream import Stream
from hall_gateway.console.throttle import Throttle
from hall_gateway.console.users import Users

MAX_BODY = 16 * 1024
"""Bytes of a form."""


def foundation(
    settings: ConsoleConfig,
    users: Users,
    rendering: Rendering,
    stream: Stream,
    seconds: Callable[[], float],
) -> web.Application:
    """A console without pages of its own. `seconds` gives monotonic s."""
    app = web.Application(
        client_max_size=MAX_BODY, middlewares=[guard.headers, errors_as_pages, guard.guard]
    )
    app[RENDERING] = rendering
    app[STREAM] = stream
    app[guard.SETTINGS] = settings
    app[guard.USERS] = users
    clock = rendering.clock
    screens = Screens(users.path.with_name("console-screens.json"), lambda: clock() / 1000)
    app[guard.SESSIONS] = Sessions(settings.idle_min * 60.0, seconds, screens)
    app[guard.LOGIN_FORMS] = LoginForms()
    app[pages_login.THROTTLE] = Throttle(seconds)
    app[pages_login.JUDGE] = pages_login.Judge()
    app.add_routes(pages_login.routes())
    app.add_routes([web.get("/stream", _stream)])
    app.router.add_static("/static/", Path(str(static_folder())), append_version=False)
    app.on_response_prepare.append(guard.on_prepare)
    app.on_shutdown.append(_hang_up)
    return app


async def _stream(request: web.Request) -> web.StreamResponse:
    """What has changed, as it does."""
    user = guard.user_of(request).name
    return await request.app[STREAM].serve(request, user, lambda: guard.logged_in(request))


async def _hang_up(app: web.Application) -> None:
    app[STREAM].close()
