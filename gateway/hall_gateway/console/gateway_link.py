"""The gateway as the console reaches it: its control socket on this machine.

Here: following what has changed, and asking it to do something. Not here: what the gateway makes of
it (hall_gateway.control), who may ask (guard.py).
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp

from hall_gateway.unix_socket import address

log = logging.getLogger(__name__)

SILENT_S = 40.0
"""The gateway says something every 15 s at least; after so long it is taken for gone."""

AGAIN_S, AGAIN_MOST_S = 0.2, 2.0
ANSWER_S = 45.0
"""How long an answer may take: a device has 30 s for its own."""

ALL = ("all",)
"""News when it is not known what has changed."""


class AwayError(Exception):
    """The gateway cannot be asked now. `sent`: it was, and gave no answer; nobody knows what it
    did."""

    def __init__(self, path: Path, sent: bool) -> None:
        super().__init__(str(path))
        self.sent = sent


@dataclass(frozen=True)
class Answer:
    """`ok`, and the reason when it is not. `body` is what came."""

    ok: bool
    error: str
    body: dict[str, Any]


class GatewayLink:
    """The gateway behind the socket at `path`.

    `told` is called with what has changed, also when the gateway came or went.
    """

    def __init__(self, path: Path, told: Callable[[Iterable[str]], None]) -> None:
        self.path = path
        self.up = False
        self.seen: int | None = None
        """Unix ms when the gateway last said anything; None for never since this start."""
        self._told = told

    async def follow(self) -> None:
        """Until cancelled."""
        wait_s = AGAIN_S
        while True:
            try:
                await self._listen()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                log.debug("%s: %r", self.path, error)
            if self.up:
                self.up = False
                wait_s = AGAIN_S
                log.warning("%s: the gateway has gone", self.path)
                self._told(ALL)
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(2 * wait_s, AGAIN_MOST_S)

    async def _listen(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=SILENT_S, sock_connect=2.0)
        async with (
            self._client(timeout) as client,
            client.get("http://gateway/changes") as response,
        ):
            response.raise_for_status()
            self._heard()
            self.up = True
            log.info("%s: the gateway is there", self.path)
            self._told(ALL)
            async for line in response.content:
                self._heard()
                if line.startswith(b"data:"):
                    self._told(_news(line[5:]))

    async def ask(self, path: str, body: dict[str, Any]) -> Answer:
        """POST `body` to `path`. Raises AwayError."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_S, sock_connect=2.0)
        try:
            async with (
                self._client(timeout) as client,
                client.post(f"http://gateway{path}", json=body) as response,
            ):
                text = await response.text()
                status = response.status
        except aiohttp.ClientConnectorError as error:
            log.warning("%s: %s: %r", self.path, path, error)
            raise AwayError(self.path, sent=False) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("%s: %s: no answer: %r", self.path, path, error)
            raise AwayError(self.path, sent=True) from None
        return _answer(status, text)

    @asynccontextmanager
    async def _client(
        self, patience: aiohttp.ClientTimeout
    ) -> AsyncGenerator[aiohttp.ClientSession]:
        with address(self.path) as place:
            connector = aiohttp.UnixConnector(str(place))
            async with aiohttp.ClientSession(connector=connector, timeout=patience) as client:
                yield client

    def _heard(self) -> None:
        self.seen = time.time_ns() // 1_000_000


def _news(data: bytes) -> Iterable[str]:
    try:
        body: Any = json.loads(data)
    except ValueError:
        return ALL
    told: Any = cast("dict[str, Any]", body).get("news") if isinstance(body, dict) else None
    return [str(each) for each in cast("list[Any]", told)] if isinstance(told, list) else ALL


def _answer(status: int, text: str) -> Answer:
    try:
        told: Any = json.loads(text)
    except ValueError:
        told = {}
    body = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    ok = status < 400 and body.get("ok", True) is not False
    error = "" if ok else str(body.get("error") or text[:200] or f"HTTP {status}")
    return Answer(ok, error, body)
