"""/health and /metrics, on the control socket and on TCP.

Here: the two handlers, and the TCP side. Not here: what they tell (health.py, metrics.py), all that
changes anything (control.py), which is never on TCP.
"""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web

from hall_gateway.config_http import HttpConfig
from hall_gateway.control_api import answer, errors_as_json
from hall_gateway.health import Health

RETRY_S = 10.0
MAX_CONNECTIONS = 32
"""Whoever can reach the port cannot take the files and sockets that the hall's work needs."""

Scrape = Callable[[str], tuple[bytes, str]]
"""Metrics as their body and its content type, for what a request accepts."""

log = logging.getLogger(__name__)


def routes(health: Callable[[], Health], scrape: Scrape) -> list[web.RouteDef]:
    """GET /health: 200, or 503 while nothing is taken from devices. GET /metrics."""

    async def told(_request: web.Request) -> web.Response:
        found = health()
        response = answer(found.told(), 503 if found.status == "failing" else 200)
        response.headers["Cache-Control"] = "no-store"
        return response

    async def measured(request: web.Request) -> web.Response:
        body, kind = scrape(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": kind})

    return [web.get("/health", told), web.get("/metrics", measured)]


class HttpSide:
    """Serves `routes` where [http] says, and nothing else."""

    def __init__(self, config: HttpConfig, routes: list[web.RouteDef]) -> None:
        self.error = ""
        """Why nobody is served now."""
        self.listening = asyncio.Event()
        self._config = config
        self._routes = routes

    async def run(self) -> None:
        """Serve until cancelled. A port that is taken keeps no hall from working: it is tried
        again."""
        app = web.Application(client_max_size=1024, middlewares=[errors_as_json])
        app.add_routes(self._routes)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        assert runner.server is not None
        server: asyncio.Server | None = None
        try:
            server = await self._listen(runner.server)
            await asyncio.Event().wait()
        finally:
            if server is not None:
                server.close()
            await runner.cleanup()

    async def _listen(self, requests: web.Server) -> asyncio.Server:
        def connection() -> asyncio.BaseProtocol:
            return requests() if len(requests.connections) < MAX_CONNECTIONS else _Full()

        loop = asyncio.get_running_loop()
        where = f"[http] {self._config.host}:{self._config.port}"
        while True:
            try:
                server = await loop.create_server(
                    connection, self._config.host, self._config.port, backlog=MAX_CONNECTIONS
                )
            except OSError as error:
                if not self.error:
                    log.error("%s: %s; tried again", where, error.strerror)
                self.error = f"{where}: {error.strerror}"
                await asyncio.sleep(RETRY_S)
            else:
                self.error = ""
                self.listening.set()
                return server


class _Full(asyncio.Protocol):
    """Of a connection that is one too many: it ends at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
