"""Alerts and closed-loop tasks, and what a manager does with them.

Here: their requests. Not here: what is on the page (alerts.py).
"""

import asyncio
from functools import partial
from typing import Any

from aiohttp import web
from hall_profiles import MARKS

from hall_gateway.console.alerts import BECAME, STEPS, AlertBoard, about, board, kind, place_of
from hall_gateway.console.guard import needs, user_of
from hall_gateway.console.pages import CONSOLE, ask
from hall_gateway.console.reading import reading
from hall_gateway.console.rendering import answered, page, words_of

MAX_NOTE = 200
"""Characters."""


async def show(request: web.Request) -> web.StreamResponse:
    console, t = request.app[CONSOLE], words_of(request)

    def read() -> AlertBoard:
        with reading(console.config.store.path) as connection:
            return board(connection, console.clock())

    return page(
        request,
        "alerts.html",
        board=await asyncio.to_thread(read),
        steps=STEPS,
        kind=kind,
        place_of=partial(place_of, t=t),
        about=partial(about, t=t, named=user_of(request).may("manager")),
        did=dict(zip(BECAME, STEPS, strict=True)),
        marks=MARKS,
        max_note=MAX_NOTE,
    )


@needs("manager")
async def acknowledge(request: web.Request) -> web.StreamResponse:
    """Somebody has taken notice of an alert."""
    id = request.match_info["id"]
    return await _done(request, f"/alerts/{id}/acknowledge", {}, "alerts.acknowledged")


@needs("manager")
async def step(request: web.Request) -> web.StreamResponse:
    """One step of a task; `mark` goes with the last one."""
    id, name = request.match_info["id"], request.match_info["step"]
    form = await request.post()
    more: dict[str, Any] = {}
    if name == "rerate":
        mark = str(form.get("mark", ""))
        if mark not in ("1", "2", "3", "4", "5"):
            raise web.HTTPBadRequest(text="mark: 1 to 5")
        more["mark"] = int(mark)
    return await _done(request, f"/tasks/{id}/{name}", more, f"alerts.done_{name}")


async def _done(
    request: web.Request, path: str, body: dict[str, Any], told: str
) -> web.StreamResponse:
    t, form = words_of(request), await request.post()
    note = str(form.get("note", "")).strip()
    if len(note) > MAX_NOTE:
        raise web.HTTPBadRequest(text=f"note: {MAX_NOTE} characters at most")
    if note:
        body["note"] = note
    answer = await ask(request, path, body)
    text = t(told) if answer.ok else t("alerts.refused", why=answer.error)
    return answered(request, answer.ok, text, "/alerts")


def routes() -> list[web.RouteDef]:
    return [
        web.get("/alerts", show),
        web.post(r"/alerts/{id:\d{1,12}}/acknowledge", acknowledge),
        web.post(rf"/tasks/{{id:\d{{1,12}}}}/{{step:{'|'.join(STEPS)}}}", step),
    ]
