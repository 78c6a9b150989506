"""What the control socket serves of the sinks: how they are, and their dead letters.

Here: routes and their handlers. Not here: the socket (control.py), what a retry does (webhooks.py).
"""

import json
from typing import cast

from aiohttp import web

from hall_gateway.control_api import ApiError, Asked, answer, asked
from hall_gateway.core import Core
from hall_gateway.heart import Heart
from hall_gateway.store_dead_letters import DeadLetter, Decision

MOST = 1000
"""Dead letters in one answer."""


def routes(core: Core) -> list[web.RouteDef]:
    """`GET /sinks`, `GET /dead-letters` (?sink=…), and `POST /dead-letters/{sink}/{id}/{step}`,
    where `step` is retry or discard and the body says `by` whom."""

    async def sinks(_request: web.Request) -> web.Response:
        return answer(core.health()["sinks"])

    async def letters(request: web.Request) -> web.Response:
        def read(heart: Heart, _now: int) -> tuple[list[DeadLetter], list[Decision]]:
            found = heart.dead_letters.newest(request.query.get("sink"), MOST)
            return found, heart.dead_letters.decisions()

        found, decisions = await core.do(read)
        return answer(
            {
                "dead_letters": [shown(letter) for letter in found],
                "decisions": [vars(decision) for decision in decisions],
            }
        )

    async def decide(request: web.Request) -> web.Response:
        sink, id, step = (request.match_info[name] for name in ("sink", "id", "step"))
        by = (await asked(request, Asked)).by
        figures = cast("dict[str, dict[str, object]]", core.health()["sinks"]).get(sink)
        if step == "retry" and figures and figures["removed"] is not None:
            raise ApiError(409, f"{sink} is not in the settings any more; it can only be discarded")

        def decided(heart: Heart, now: int) -> bool:
            decision = heart.dead_letters.retry if step == "retry" else heart.dead_letters.discard
            heart.tell("sinks")
            heart.tell("dead_letters")
            return decision(sink, id, by, now)

        if not await core.do(decided):
            raise ApiError(404, f"{sink} has no dead letter {id}; see GET /dead-letters")
        return answer({"sink": sink, "id": id, "step": step, "by": by})

    return [
        web.get("/sinks", sinks),
        web.get("/dead-letters", letters),
        web.post("/dead-letters/{sink}/{id:.+}/{step:retry|discard}", decide),
    ]


def shown(letter: DeadLetter) -> dict[str, object]:
    """A dead letter as JSON has it: `body` is the CloudEvent itself."""
    return {**vars(letter), "body": json.loads(letter.body)}
