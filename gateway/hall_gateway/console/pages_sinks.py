"""Where events go, and a manager's decisions about what was refused there.

Here: their requests. Not here: what is on the page (sinks.py).
"""

import asyncio
from urllib.parse import quote

from aiohttp import web

from hall_gateway.console.guard import needs
from hall_gateway.console.pages import CONSOLE, ask
from hall_gateway.console.reading import reading
from hall_gateway.console.rendering import answered, page, words_of
from hall_gateway.console.sinks import Outside, outside

DECIDE = ("retry", "discard")


async def show(request: web.Request) -> web.StreamResponse:
    console = request.app[CONSOLE]

    def read() -> Outside:
        with reading(console.config.store.path) as connection:
            return outside(connection, console.config)

    return page(request, "webhooks.html", outside=await asyncio.to_thread(read))


@needs("manager")
async def decide(request: web.Request) -> web.StreamResponse:
    """Have a dead letter tried again, or give it up."""
    t, form, step = words_of(request), await request.post(), request.match_info["step"]
    sink, event = (quote(str(form.get(name, "")), safe="/:") for name in ("sink", "event"))
    if not sink.strip(".") or "/" in sink or not event or ".." in event:
        raise web.HTTPBadRequest(text="sink and event are missing")
    answer = await ask(request, f"/dead-letters/{sink}/{event}/{step}", {})
    text = t(f"sinks.{step}_done") if answer.ok else t("sinks.not_done", why=answer.error)
    return answered(request, answer.ok, text, "/webhooks")


def routes() -> list[web.RouteDef]:
    return [
        web.get("/webhooks", show),
        web.post(rf"/webhooks/{{step:{'|'.join(DECIDE)}}}", decide),
    ]
