"""A connection of the back office to its NATS servers.

Here: logging in at one of them, asking JetStream, and that the connection is gone. Not here: what
is fetched (pull.py), the streams (streams.py), when there is another connection (worker.py).

As in a hall each connection has a fresh client, and nats-py's own reconnecting is off: what
was underway is delivered again, and nothing is kept and sent behind anybody's back.
"""

import asyncio
import json
import random
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self, cast

from hall_gateway.jetstream_credentials import Credentials
from hall_gateway.nats_client import CONNECT_S, StrictClient, apart, signed, worded
from nats import errors

from hall_fleet import logins

PING_S = 10
CLOSE_S = 2.0


class LinkError(Exception):
    """There is no connection, or a server does not do what it is asked: why, in one line."""


class Link:
    """`async with Link(…) as link:` is connected inside. `lost` is done when it is not any more."""

    def __init__(
        self,
        servers: Sequence[str],
        who: Credentials,
        tls: ssl.SSLContext | None,
        role: logins.Role,
    ) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.inbox = logins.inbox(role)
        self._servers = servers
        self._who = who
        self._tls = tls
        self._name = f"hallkit-{role}"
        self._said = ""
        self.client = StrictClient()

    async def __aenter__(self) -> Self:
        """At the first server that answers; raises LinkError."""
        why: list[str] = []
        for server in random.sample(self._servers, len(self._servers)):
            self.client = StrictClient()
            self.client.encrypted = server.startswith("tls://")
            try:
                await apart(self._connect(server))
            except Exception as error:  # whatever the client meets at a server that is none
                why.append(f"{server}: {self._told(error)}")
                self.client.abort()
            except asyncio.CancelledError:
                self.client.abort()
                raise
            else:
                return self
        raise LinkError("; ".join(why))

    async def __aexit__(self, *_: object) -> None:
        self._gone()
        with suppress(Exception):  # whatever a socket meets that is closed
            async with asyncio.timeout(CLOSE_S):
                await apart(self.client.close())
        self.client.abort()

    async def flush(self) -> None:
        """Returns when the server has all that was published; raises LinkError."""
        try:
            # Cancelled inside, the client would not survive the answer.
            await asyncio.shield(asyncio.ensure_future(self._round_trips()))
        except (errors.Error, OSError) as error:
            self._gone()
            raise LinkError(self._told(error)) from None

    async def _round_trips(self) -> None:
        """Two: nats-py writes the first PING before what it was given earlier."""
        for _ in range(2):
            await self.client.flush(timeout=CONNECT_S)  # pyright: ignore[reportArgumentType]

    async def ask(self, subject: str, request: dict[str, Any] | None = None) -> dict[str, Any]:
        """JetStream's answer on `$JS.API.{subject}`; raises LinkError, with what it finds wrong."""
        body = b"" if request is None else json.dumps(request).encode()
        try:
            answer = await self.client.request(f"$JS.API.{subject}", body, timeout=CONNECT_S)
        except (errors.Error, OSError) as error:
            raise LinkError(f"{subject}: {self._told(error)}") from None
        try:
            told = cast(dict[str, Any], json.loads(answer.data))
        except ValueError:
            raise LinkError(f"{subject}: the answer is not JSON") from None
        if error := told.get("error"):
            raise LinkError(f"{subject}: {error.get('description', error)}")
        return told

    async def _connect(self, server: str) -> None:
        await self.client.connect(
            servers=[server],
            name=self._name,
            error_cb=self._complained,
            closed_cb=self._closed,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=CONNECT_S,  # pyright: ignore[reportArgumentType]
            ping_interval=PING_S,
            inbox_prefix=self.inbox,
            user_jwt_cb=lambda: self._who.token,
            signature_cb=lambda nonce: signed(nonce, self._who.seed),
            tls=self._tls if self.client.encrypted else None,
        )

    async def _complained(self, error: Exception) -> None:
        self._said = worded(error)

    async def _closed(self) -> None:
        self._gone()

    def _gone(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)

    def _told(self, error: BaseException) -> str:
        if isinstance(error, errors.NoServersError):
            return self._said or "the server does not answer"
        return worded(error)
