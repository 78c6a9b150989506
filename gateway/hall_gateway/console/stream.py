"""Telling browsers that something has changed: server-sent events (HTML standard, 9.2).

Here: who listens, and what each has not heard yet. Not here: what has changed (gateway_link.py);
a browser that hears of it asks for its page again.

An event's id is `start-number`; a browser that comes back with the last one (Last-Event-ID) hears
at once when it has missed any.
"""

import asyncio
import json
import secrets
from collections.abc import Callable, Iterable

from aiohttp import web

BEAT_S = 15.0
"""A comment when there is nothing to say, so that a dead connection is noticed."""

PATIENCE_S = 10.0
"""A browser that takes nothing for so long is gone."""

MAX_LISTENERS = 128
MAX_OF_ONE = 24
"""Open pages, and those of one user: nobody can keep others from theirs."""


class Listener:
    """One open page, which `request` asked for. What it has not heard yet is a set of names, so it
    cannot grow."""

    def __init__(self, user: str, request: web.Request | None = None) -> None:
        self.user = user
        self._request = request
        self.news: set[str] = set()
        self.waiting = asyncio.Event()

    @property
    def gone(self) -> bool:
        """Whether its connection is: who turns many pages leaves one behind with each, until the
        next beat."""
        return self._request is not None and self._request.transport is None

    def tell(self, news: Iterable[str]) -> None:
        self.news.update(news)
        self.waiting.set()

    def take(self) -> list[str]:
        news = sorted(self.news)
        self.news.clear()
        self.waiting.clear()
        return news


class Stream:
    """Everybody who listens."""

    def __init__(self) -> None:
        self._start = secrets.token_hex(4)
        self._number = 0
        self._listeners: set[Listener] = set()
        self._closing = False

    @property
    def mark(self) -> str:
        """The id of the last event."""
        return f"{self._start}-{self._number}"

    def tell(self, news: Iterable[str]) -> None:
        """Something has changed."""
        told = list(news)
        if told:
            self._number += 1
            for listener in self._listeners:
                listener.tell(told)

    def close(self) -> None:
        """No more: the server ends."""
        self._closing = True
        for listener in self._listeners:
            listener.waiting.set()

    async def serve(
        self, request: web.Request, user: str, logged_in: Callable[[], bool]
    ) -> web.StreamResponse:
        """Tell this browser of `user` until it goes, or is not `logged_in` any more."""
        there = [listener for listener in self._listeners if not listener.gone]
        own = sum(listener.user == user for listener in there)
        if len(there) >= MAX_LISTENERS or own >= MAX_OF_ONE:
            raise web.HTTPServiceUnavailable(
                text="too many open pages", headers={"Retry-After": "30"}
            )
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        listener = Listener(user, request)
        self._listeners.add(listener)
        try:
            await response.prepare(request)
            if request.headers.get("Last-Event-ID", request.query.get("mark")) != self.mark:
                listener.tell(["all"])
            await response.write(b"retry: 1000\n\n")
            await self._talk(response, listener, logged_in)
        except (ConnectionError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._listeners.discard(listener)
        return response

    async def _talk(
        self, response: web.StreamResponse, listener: Listener, logged_in: Callable[[], bool]
    ) -> None:
        while not self._closing:
            try:
                async with asyncio.timeout(BEAT_S):
                    await listener.waiting.wait()
            except TimeoutError:
                await _write(response, b": still here\n\n")
            if not logged_in():
                await _write(response, b"event: over\ndata: {}\n\n")
                return
            if news := listener.take():
                data = json.dumps({"news": news})
                await _write(response, f"id: {self.mark}\ndata: {data}\n\n".encode())


async def _write(response: web.StreamResponse, message: bytes) -> None:
    """Raises TimeoutError, ConnectionError."""
    async with asyncio.timeout(PATIENCE_S):
        await response.write(message)
