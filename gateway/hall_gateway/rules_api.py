"""What people do about alerts and tasks: handlers of the gateway's own HTTP.

Here: POST /alerts/{id}/acknowledge and POST /tasks/{id}/{step}, each with who does it. Not here:
what follows (rules_alerts.py, rules_tasks.py), the socket (control.py).
"""

from dataclasses import asdict
from typing import Annotated

from aiohttp import web
from pydantic import Field

from hall_gateway.control_api import ApiError, Asked, answer, asked, attempt
from hall_gateway.core import Core
from hall_gateway.models import Printable
from hall_gateway.rules_tasks import STEPS
from hall_gateway.state import RefusedError

_REFUSALS: dict[type[Exception], int] = {KeyError: 404, RefusedError: 409}
Note = Annotated[
    str,
    Field(min_length=1, max_length=200, description="1 to 200 printable characters, or none"),
    Printable,
]


class Acknowledged(Asked):
    """Who has taken notice of an alert."""

    note: Note | None = None


class Stepped(Asked):
    """Who has done a step of a task; `mark` is that of the re-rating."""

    note: Note | None = None
    mark: Annotated[int, Field(ge=1, le=5, description="1 to 5, with rerate only")] | None = None


def routes(core: Core) -> list[web.RouteDef]:
    """The handlers of alerts and tasks."""

    async def acknowledge(request: web.Request) -> web.Response:
        id = _number(request)
        body = await asked(request, Acknowledged)
        done = await attempt(
            core,
            lambda heart, now: heart.rules.alerts.acknowledge(id, body.by, body.note, now),
            _REFUSALS,
        )
        return answer(asdict(done))

    async def step(request: web.Request) -> web.Response:
        id, name = _number(request), request.match_info["step"]
        body = await asked(request, Stepped)
        said = (body.by, body.note, body.mark)
        done = await attempt(
            core, lambda heart, now: heart.rules.tasks.step(id, name, *said, now), _REFUSALS
        )
        return answer(asdict(done))

    return [
        web.post("/alerts/{id}/acknowledge", acknowledge),
        web.post(f"/tasks/{{id}}/{{step:{'|'.join(STEPS)}}}", step),
    ]


def _number(request: web.Request) -> int:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ApiError(404, f"{text[:32]} is no number of an alert or a task")
    return int(text)
