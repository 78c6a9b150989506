"""The settings on the control socket: which the gateway runs with, and have it look at them now.

Here: GET /config, POST /config/look. Not here: changing them, which is for whoever owns the files
(hall_tools.config_versions).
"""

import asyncio

from aiohttp import web

from hall_gateway.control_api import ApiError, Asked, answer, asked
from hall_gateway.settings_file import SettingsFile

LOOK_S = 30.0
"""A store that is slow to commit holds up what follows from new settings."""


def routes(settings: SettingsFile) -> list[web.RouteDef]:
    """Of a gateway that follows `settings`."""

    def told() -> web.Response:
        trial = settings.trial
        return answer(
            {
                "trial": trial and trial.model_dump(),
                "refused": settings.refused,
                "pending": settings.pending,
                "error": settings.error or None,
            }
        )

    async def now(_request: web.Request) -> web.Response:
        return told()

    async def look(request: web.Request) -> web.Response:
        await asked(request, Asked)
        try:
            async with asyncio.timeout(LOOK_S), settings.looked:
                settings.look()
                await settings.looked.wait()
        except TimeoutError:
            raise ApiError(503, "the settings are not followed yet; see hall doctor") from None
        return told()

    return [web.get("/config", now), web.post("/config/look", look)]
