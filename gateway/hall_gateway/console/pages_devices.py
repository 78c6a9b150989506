"""The devices, and what a technician may ask of one.

Here: their requests. Not here: what is on the page (devices.py).
"""

import asyncio

from aiohttp import web

from hall_gateway.config import load_profile
from hall_gateway.console.devices import DeviceLine, devices
from hall_gateway.console.guard import needs
from hall_gateway.console.pages import CONSOLE, ask
from hall_gateway.console.reading import reading
from hall_gateway.console.rendering import answered, page, words_of
from hall_gateway.console.updates import RollOutPanel, roll_out

DO = ("identify", "reboot")

TTL_S = 30
SLEEPING_TTL_S = 86_400
"""A battery device hears of it when it wakes."""

PATIENCE_S = 3.0
"""For a battery device, which will hardly answer now."""


async def show(request: web.Request) -> web.StreamResponse:
    console = request.app[CONSOLE]

    def read() -> tuple[list[DeviceLine], RollOutPanel | None]:
        with reading(console.config.store.path) as connection:
            lines = devices(connection, console.config, console.clock())
            return lines, roll_out(connection, console.config.updates)

    lines, update = await asyncio.to_thread(read)
    return page(request, "devices.html", lines=lines, update=update)


@needs("technician")
async def command(request: web.Request) -> web.StreamResponse:
    """The device's own answer."""
    t, id, do = words_of(request), request.match_info["device"], request.match_info["do"]
    known = {device.id: device for device in request.app[CONSOLE].config.devices}
    if id not in known or do not in DO:
        raise web.HTTPNotFound(text=f"{id}: {do}")
    sleeps = load_profile(known[id].profile).transport == "coap"
    ttl_s = SLEEPING_TTL_S if sleeps else TTL_S
    body = {"device": id, "do": do, "ttl_s": ttl_s}
    try:
        async with asyncio.timeout(PATIENCE_S if sleeps else None):
            answer = await ask(request, "/command/device", body)
    except TimeoutError:
        return answered(request, True, t("devices.queued", device=id), "/devices")
    told = t(f"devices.{do}_done", device=id)
    if not answer.ok:
        told = t("devices.refused", device=id, why=answer.error)
    return answered(request, answer.ok, told, "/devices")


@needs("technician")
async def update(request: web.Request) -> web.StreamResponse:
    """Stop the roll-out of a release, or go on with it."""
    t, step = words_of(request), request.match_info["step"]
    answer = await ask(request, f"/updates/{step}", {})
    told = t(f"updates.{step}_done") if answer.ok else t("updates.refused", why=answer.error)
    return answered(request, answer.ok, told, "/devices")


def routes() -> list[web.RouteDef]:
    return [
        web.get("/devices", show),
        web.post(r"/devices/{device:[a-z0-9-]{1,32}}/{do:[a-z]+}", command),
        web.post(r"/updates/{step:stop|resume}", update),
    ]
