"""How many connections one machine may hold, and for how long it may say nothing.

Here: bounds, so that one phone in the hall cannot take the page from everybody. Not here: the
listener (serve.py), requests (guard.py).
"""

import asyncio
import logging
from collections import defaultdict

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

IDLE_S = 20.0
"""Without a whole head of a request."""

IDLE_OF_PROXY_S = 75.0
"""Longer than reverse proxies keep theirs."""

MAX_OF_ONE = 48
"""From one address. A browser has six."""

LOOK_S = 1.0


async def bound(runner: web.AppRunner) -> None:
    """Close the newest of those who have too many, until cancelled."""
    while True:
        await asyncio.sleep(LOOK_S)
        surplus(runner.server)


def surplus(server: web.Server | None) -> None:
    """Close what is more than MAX_OF_ONE from one address."""
    by_address = defaultdict[str, list[web.RequestHandler]](list)
    for connection in server.connections if server else ():
        if isinstance(peer := connection.peername, tuple):
            by_address[peer[0]].append(connection)
    for connections in by_address.values():
        for connection in connections[MAX_OF_ONE:]:
            connection.force_close()


class NoNonsense(logging.Filter):
    """What is not HTTP is answered with 400, and is no news for the log: anybody could fill it."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError)
