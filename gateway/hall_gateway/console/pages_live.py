"""The live hall.

Here: its requests. Not here: what is on it (live.py).
"""

import asyncio
from functools import partial

from aiohttp import web

from hall_gateway.console.alerts import kind, place_of
from hall_gateway.console.guard import needs
from hall_gateway.console.live import LiveHall, live
from hall_gateway.console.once import Once
from hall_gateway.console.pages import CONSOLE, ask
from hall_gateway.console.pictures import Pictures
from hall_gateway.console.reading import reading
from hall_gateway.console.rendering import MARK, answered, page, words_of

PICTURES = web.AppKey("pictures", Pictures)
LOOKS = web.AppKey("looks", Once[LiveHall])

SHOW_S = (30, 60, 300, 900)
"""How long a text may be asked to stay on a window's displays."""


async def show(request: web.Request) -> web.StreamResponse:
    """The page; `?wall` for a screen on the wall."""
    console, t = request.app[CONSOLE], words_of(request)
    pictures, config, now = request.app[PICTURES], console.config, console.clock()

    def read() -> LiveHall:
        with reading(config.store.path) as connection:
            return live(connection, config, pictures, now, t)

    # The same for everybody until the next news, and then for those who hear of it together.
    key = (t.language, request[MARK], now // 1000, id(config))
    return page(
        request,
        "live.html",
        live=await request.app[LOOKS].get(key, read),
        kind=kind,
        place_of=partial(place_of, t=t),
        show_s=SHOW_S,
    )


async def picture(request: web.Request) -> web.StreamResponse:
    """What a display shows."""
    drawn = await asyncio.to_thread(request.app[PICTURES].png, request.match_info["key"])
    if drawn is None:
        raise web.HTTPNotFound(text="no such picture any more")
    return web.Response(
        body=drawn,
        content_type="image/png",
        headers={"Cache-Control": "private, max-age=86400, immutable"},
    )


@needs("manager")
async def text(request: web.Request) -> web.StreamResponse:
    """A text on a window's displays, or on one display."""
    form, t = await request.post(), words_of(request)
    place, name = str(form.get("place", "")).partition(":")[::2]
    seconds = str(form.get("seconds", ""))
    if place not in ("window", "device") or seconds not in map(str, SHOW_S):
        raise web.HTTPBadRequest(text="place and seconds are missing")
    body = {place: name, "text": str(form.get("text", "")), "seconds": int(seconds)}
    answer = await ask(request, "/command/show", body)
    told = t("show.done") if answer.ok else t("show.refused", why=answer.error)
    return answered(request, answer.ok, told, "/")


def routes() -> list[web.RouteDef]:
    return [
        web.get("/", show),
        web.get(r"/picture/{key:[0-9a-f]{24}}.png", picture),
        web.post("/show", text),
    ]
