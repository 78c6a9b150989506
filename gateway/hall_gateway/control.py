"""The gateway's control socket: HTTP for this machine's own processes, beside the store.

Here: the socket, hall commands given on this machine, and the stream of what has changed. Not here:
what the areas serve (their own modules hand routes in), /metrics and /health (health_api.py), how
errors are answered (control_api.py).

Who may open the socket may do everything that the gateway does: it is for the gateway's user and
group alone (mode 0660), and never on a network.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from pydantic import ConfigDict, Field

from hall_gateway.control_api import MAX_BODY, ApiError, Asked, asked, errors_as_json
from hall_gateway.core import Core
from hall_gateway.snapshot import Snapshot
from hall_gateway.unix_socket import listening
from hall_gateway.wire import compact, one_line

NAME = "control.sock"
"""In the store's folder."""

NEWS = ("outbox", "desired", "states", "alerts", "tasks", "sinks", "updates")
"""What can have changed: each stands for what a client has to read again from the store."""

HEARTBEAT_S = 15.0
PAUSE_S = 0.05
"""Between two messages to one client, so that a flood of events is not a flood of these."""
PATIENCE_S = 10.0
"""A client that takes nothing for so long is dropped; it comes again, and reads everything anew."""
MAX_STREAMS = 32
MAX_WAITING = 64
"""Commands whose device has not answered yet."""
RETRY_S = 5.0
LATE_S = 10.0
"""Past a command's time to live, for the tick that answers it."""

log = logging.getLogger(__name__)


class CommandAsked(Asked):
    """A hall command's JSON, its `id` left out or not, and `by`."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._:-]{1,58}$",
        description="1 to 58 of A-Z, a-z, 0-9, '.', '_', ':', '-'; or no id",
    )


class Control:
    """Serves `routes` and its own at `path`."""

    def __init__(self, core: Core, path: Path, routes: Iterable[web.RouteDef]) -> None:
        self.listening = asyncio.Event()
        self._core = core
        self._path = path
        self._streams: set[_Stream] = set()
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._routes = [
            web.get("/changes", self._changes),
            web.post("/command/{name}", self._command),
            *routes,
        ]

    def add(self, routes: Iterable[web.RouteDef]) -> None:
        """Serve `routes` too; before run()."""
        self._routes.extend(routes)

    async def run(self) -> None:
        """Serve until cancelled. Events matter more than this socket: without it the gateway goes
        on, and tries again."""
        failed = ""
        while True:
            try:
                async with self.open():
                    failed = ""
                    await asyncio.Event().wait()
            except OSError as error:
                if failed != str(error):
                    failed = str(error)
                    log.error("no control socket: %s", error)
                await asyncio.sleep(RETRY_S)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Serve inside of the block. Raises OSError when the socket cannot be had."""
        app = web.Application(client_max_size=MAX_BODY, middlewares=[errors_as_json])
        app.add_routes(self._routes)
        app.on_shutdown.append(self._end_streams)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0
        )
        with listening(self._path, 0o660) as socket:
            await runner.setup()
            self._core.watchers.add(self._committed)
            try:
                await web.SockSite(runner, socket).start()
                self.listening.set()
                yield
            finally:
                self._core.watchers.discard(self._committed)
                await runner.cleanup()

    def _committed(self, snapshot: Snapshot) -> None:
        for id, body in snapshot.answers.items():
            if (waits := self._waiting.get(id)) and not waits.done():
                waits.set_result(body)
        if news := {name for name in snapshot.news if name in NEWS}:
            for stream in self._streams:
                stream.tell(news)

    async def _command(self, request: web.Request) -> web.Response:
        """The reply of a hall command, {"id","ok","result"|"error"}, also of one to a device."""
        name = request.match_info["name"]
        body = await asked(request, CommandAsked)
        # A name space of their own: the hall system's ids are its own business.
        id = f"local:{body.id or secrets.token_hex(8)}"
        if id in self._waiting:
            raise ApiError(409, f"{id} waits for its answer already; give each command its own id")
        if len(self._waiting) >= MAX_WAITING:
            raise ApiError(503, f"{MAX_WAITING} commands wait for an answer already; try again")
        fields = body.model_extra or {}
        self._waiting[id] = asyncio.get_running_loop().create_future()
        try:
            reply = await self._core.command(name, compact({**fields, "id": id}), body.by)
            log.info("%s: command %s (%s)", body.by, one_line(name), id)
            if reply is not None:
                return _replied(reply.body)
            ttl_s = fields.get("ttl_s", 30)
            async with asyncio.timeout((ttl_s if isinstance(ttl_s, int) else 0) + LATE_S):
                return _replied(await self._waiting[id])
        except TimeoutError:
            raise ApiError(504, f"{id}: no answer in time; see hall doctor") from None
        finally:
            del self._waiting[id]

    async def _changes(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events {"news": […]}; the first names all, for what was before is missed."""
        if len(self._streams) >= MAX_STREAMS:
            raise ApiError(503, f"{MAX_STREAMS} clients follow the changes already")
        stream = _Stream()
        self._streams.add(stream)
        try:
            return await stream.serve(request)
        finally:
            self._streams.discard(stream)

    async def _end_streams(self, _app: web.Application) -> None:
        for stream in self._streams:
            stream.end()


class _Stream:
    """One client of the changes. What it has not taken is a set of names, however much it is."""

    def __init__(self) -> None:
        self._news: set[str] = set(NEWS)
        self._woken = asyncio.Event()
        self._woken.set()
        self._ended = False

    def tell(self, news: set[str]) -> None:
        self._news |= news
        self._woken.set()

    def end(self) -> None:
        self._ended = True
        self._woken.set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        while not self._ended:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._woken.wait()
            except TimeoutError:
                message = b": still here\n\n"
            else:
                self._woken.clear()
                news = [name for name in NEWS if name in self._news]
                self._news.clear()
                message = b"data: " + compact({"news": news}) + b"\n\n"
            if self._ended:
                break
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await response.write(message)
            except TimeoutError:
                log.warning("a client that follows the changes takes nothing; it is dropped")
                if request.transport is not None:
                    request.transport.abort()
                break
            except ConnectionResetError:
                break
            await asyncio.sleep(PAUSE_S)
        return response


def _replied(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
