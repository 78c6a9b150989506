"""One endpoint over HTTPS: a request out, and what its answer means.

Here: aiohttp, time limits, TLS, and which answers say taken, refused or later. Not here: what is
asked when (webhooks.py), what a request holds (webhook_message.py).

The certificate is always verified. Redirects are not followed: a signed event goes where the
settings say, and nowhere else. Names are looked up in threads of their own, so that a name server
that hangs holds up nobody else, nor the gateway's end.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from hall_gateway.config_webhooks import WebhookConfig
from hall_gateway.values import OutboxRow
from hall_gateway.webhook_message import request, signature

TEXT_BYTES = 300
"""Of an answer that is shown to people; the rest is not read."""
MAX_RETRY_AFTER_S = 3600.0
TRANSIENT = frozenset({408, 425, 429})
"""Of the 4xx, those that say nothing against the event (RFC 9110, 6585, 8470)."""

_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]


@dataclass(frozen=True)
class Answer:
    """`taken`; `refused`: the same request would only fail again; `later`: it may work then, after
    `retry_after_s` if the endpoint says so. `why` is for people, one line."""

    verdict: Literal["taken", "refused", "later"]
    why: str = ""
    retry_after_s: float | None = None


class WebhookClient:
    """Sends to one endpoint, over one connection that is kept; `async with` starts and ends it.

    Raises ConfigError at once when a file of `config` cannot be used.
    """

    def __init__(self, config: WebhookConfig, now: Callable[[], int]) -> None:
        self._config = config
        self._now = now
        self._secrets = config.secrets()
        self._tls = config.tls()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, ssl=self._tls, resolver=_Resolver()),
            timeout=aiohttp.ClientTimeout(total=self._config.timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": "hallkit"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def send(self, row: OutboxRow) -> Answer:
        """Send one event, signed with the time it is now."""
        assert self._session is not None
        headers, body = request(row, self._config.mode)
        headers |= signature(self._secrets, row.id, self._now() // 1000, body)
        try:
            async with self._session.post(
                self._config.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                text = b""
                if not 200 <= response.status < 300:
                    with suppress(aiohttp.ClientError, TimeoutError):
                        text = await response.content.read(TEXT_BYTES)
                after = response.headers.get("Retry-After")
                return judged(response.status, text, _retry_after(after, self._now()))
        except TimeoutError:
            return Answer("later", f"no answer within {self._config.timeout_s} s")
        except aiohttp.ClientError as error:
            return Answer("later", _one_line(f"{type(error).__name__}: {error}"))


def judged(status: int, text: bytes, retry_after_s: float | None) -> Answer:
    """What an answer with that status means. A redirect is refused, for it is not followed."""
    if 200 <= status < 300:
        return Answer("taken")
    said = _one_line(text.decode("utf-8", "replace"))
    why = f"HTTP {status}{': ' if said else ''}{said}"
    if status >= 500 or status in TRANSIENT:
        return Answer("later", why, retry_after_s)
    if 300 <= status < 400:
        why = f"HTTP {status}: it wants to send us elsewhere; redirects are not followed"
    return Answer("refused", why)


def _retry_after(header: str | None, now_ms: int) -> float | None:
    """Seconds (RFC 9110, 10.2.3), at most MAX_RETRY_AFTER_S; None when it says none."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        seconds = float(header[:9])
    else:
        try:
            at = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (at - datetime.fromtimestamp(now_ms / 1000, UTC)).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _one_line(text: str) -> str:
    """What others sent, fit for a log and a page: printable, short."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:TEXT_BYTES]


class _Resolver(AbstractResolver):
    """The connector asks for one name at a time, so there is one thread at most."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[_Address]] = loop.create_future()

        def tell(found: list[_Address], error: OSError | None) -> None:
            if not answer.done():
                answer.set_exception(error) if error else answer.set_result(found)

        def look_up() -> None:
            found: list[_Address] = []
            fault: OSError | None = None
            try:
                found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
            except UnicodeError as error:
                fault = OSError(f"{host} is no host name: {error}")
            except OSError as error:
                fault = error
            with suppress(RuntimeError):  # the gateway has ended meanwhile
                loop.call_soon_threadsafe(tell, found, fault)

        threading.Thread(target=look_up, name="webhook-names", daemon=True).start()
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in await answer
        ]

    async def close(self) -> None:
        pass
