"""An HTTP endpoint for webhooks, as a receiver would have one: it answers as a test says.

Only the server belongs here. It keeps every request; `answer` decides what becomes of each.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from hall_tools.ports import free_port


@dataclass(frozen=True)
class Request:
    """`headers` has the sender's address as `peer`, too."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent of a structured request."""
        return json.loads(self.body)


Answer = Callable[[Request], "int | web.StreamResponse | Awaitable[web.StreamResponse]"]


class Endpoint:
    """`taken` are the ids that were answered with 2xx, in order; `requests` all that came."""

    def __init__(self, port: int, scheme: str) -> None:
        self.url = f"{scheme}://127.0.0.1:{port}/events?from=hall"
        self.port = port
        self.requests: list[Request] = []
        self.taken: list[str] = []
        self.answer: Answer = lambda request: 204
        self._changed = asyncio.Condition()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        peer = str(request.transport and request.transport.get_extra_info("peername"))
        came = Request({**request.headers, "peer": peer}, await request.read())
        self.requests.append(came)
        await self._tell()
        answer = self.answer(came)
        if isinstance(answer, int):
            response: web.StreamResponse = web.Response(status=answer)
        elif isinstance(answer, web.StreamResponse):
            response = answer
        else:
            response = await answer
        if 200 <= response.status < 300:
            self.taken.append(came.id)
            await self._tell()
        return response

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, holds: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until `holds()` after a request or an answer."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(holds)


@asynccontextmanager
async def open_endpoint(
    tls: ssl.SSLContext | None = None, port: int | None = None
) -> AsyncGenerator[Endpoint]:
    """An endpoint that listens on loopback; `port` is where an earlier one was."""
    endpoint = Endpoint(port or free_port(), "https" if tls else "http")
    app = web.Application()
    app.router.add_post("/events", endpoint.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", endpoint.port, ssl_context=tls).start()
        yield endpoint
    finally:
        await runner.cleanup()
