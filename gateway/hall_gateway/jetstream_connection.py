"""One connection to one NATS server: with nats_client.py, all that knows nats-py.

Here: logging in, publishing with and without a stream's answer, what a server says unasked, and how
a connection ends. Not here: which server, and when there is another connection (jetstream.py);
answers (jetstream_acks.py); what is sent and what commands mean (jetstream_link.py).

nats-py's own reconnecting is off, and each connection has a fresh client: so nothing is kept and
sent behind the caller's back, and what must survive the end of a connection is sent again from the
store. Only what callers wait for an answer to is in memory, and they bound that.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, cast

from nats import errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.jetstream_acks import Acks, NotTakenError, PubAck
from hall_gateway.jetstream_credentials import Credentials
from hall_gateway.jetstream_message import Outgoing
from hall_gateway.mqtt_message import DisconnectedError
from hall_gateway.nats_client import CONNECT_S, StrictClient, apart, signed, worded

PING_S = 10
"""Two in a row without an answer end the connection."""
ACK_S = 10.0
"""A stream whose leader was killed has another in about 4 s."""
CLOSE_S = 2.0
MAX_COMMANDS, MAX_COMMAND_BYTES = 100, 1 << 20
"""Commands that wait to be handled; the client drops what comes after them, which is counted. Who
sent one sends it again."""


@dataclass(frozen=True)
class Arrived:
    """A command as it came."""

    name: str
    payload: bytes
    headers: dict[str, str]


class Connection:
    """Logs in as `hall`; `take` is awaited with each command, one after the other; None leaves
    them to other connections.

    `lost` is done, without an error, when the connection has ended. `dropped` counts commands for
    which there was no room. `key`: of the credentials that it was opened with.
    """

    def __init__(self, hall: str, take: Callable[[Arrived], Awaitable[None]] | None) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.dropped = 0
        self.key = b""
        self._hall = hall
        self._take = take
        self._why = "closed"
        self._said = ""  # the last that the server or the client complained of
        self._acks = Acks(time.monotonic)
        self._inbox = f"{subjects.inbox(hall)}.{token_hex(8)}"
        self._out: deque[tuple[Outgoing, str]] = deque()
        self._news = asyncio.Event()
        self._written = asyncio.Event()
        self._client = StrictClient()
        self._commands: Subscription | None = None

    @property
    def waiting(self) -> int:
        """Commands that came, and were not taken yet."""
        return self._commands.pending_msgs if self._commands else 0

    async def open(self, server: str, who: Credentials, tls: ssl.SSLContext | None) -> None:
        """Connect, log in and subscribe; raises DisconnectedError saying what went wrong."""
        self.key = who.key
        self._client.encrypted = server.startswith("tls://")
        try:
            await apart(self._log_in(server, who, tls))
        except Exception as error:  # whatever the client meets at a server that is none
            raise DisconnectedError(f"{server}: {self._told(error)}") from None
        if self._said:  # of a subscription
            raise DisconnectedError(f"{server} does not let {self._hall} subscribe: {self._said}")

    async def _log_in(self, server: str, who: Credentials, tls: ssl.SSLContext | None) -> None:
        await self._client.connect(
            servers=[server],
            name=f"hallkit-{self._hall}",
            error_cb=self._complained,
            closed_cb=self._closed,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=CONNECT_S,  # pyright: ignore[reportArgumentType]
            ping_interval=PING_S,
            inbox_prefix=subjects.inbox(self._hall),
            user_jwt_cb=lambda: who.token,
            signature_cb=lambda nonce: signed(nonce, who.seed),
            tls=tls,
        )
        self._said = ""
        subscribe: Any = cast(Any, self._client).subscribe
        await subscribe(f"{self._inbox}.*", cb=self._answered)
        if self._take is not None:
            self._commands = await subscribe(
                subjects.command(self._hall, "*"),
                cb=self._command,
                pending_msgs_limit=MAX_COMMANDS,
                pending_bytes_limit=MAX_COMMAND_BYTES,
            )
        await self.flush()

    def publish(self, message: Outgoing) -> asyncio.Future[PubAck]:
        """Publish to a stream; the future has its answer, or DisconnectedError without one, which
        is NotTakenError when it was not for the connection."""
        if self.lost.done():
            raise DisconnectedError(self._why)
        token, answer = self._acks.expect(message.subject)
        if message.bytes > (most := self._client.max_payload):
            why = f"{message.bytes} bytes on {message.subject}; the server takes {most}"
            answer.set_exception(NotTakenError(why))
        else:
            self._send(message, f"{self._inbox}.{token}")
        return answer

    def tell(self, message: Outgoing) -> None:
        """Publish to whoever listens now; raises DisconnectedError."""
        if self.lost.done():
            raise DisconnectedError(self._why)
        self._send(message, "")

    def forget(self) -> None:
        """Nobody waits for answers any more."""
        self._acks.end(NotTakenError("given up"))

    async def flush(self) -> None:
        """Returns when the server has all that was published; raises DisconnectedError."""
        if self._out:
            await self._written.wait()
        try:
            # Cancelled inside, the client would not survive the answer.
            await asyncio.shield(asyncio.ensure_future(self._round_trips()))
        except errors.Error as error:
            self.give_up(worded(error))
        if self.lost.done():
            raise DisconnectedError(self._why)

    async def _round_trips(self) -> None:
        """Two: nats-py writes the first PING before what it was given earlier."""
        for _ in range(2):
            await self._client.flush(timeout=CONNECT_S)  # pyright: ignore[reportArgumentType]

    async def watch(self) -> None:
        """Send what is published until the connection ends; raises DisconnectedError saying why it
        did."""
        writing = asyncio.create_task(self._write())
        try:
            while not self.lost.done():
                await asyncio.wait((self.lost, writing), timeout=1.0)
                self._acks.late(ACK_S)
                if writing.done() or self._client.is_closed:
                    self.give_up(self._told(writing.exception() if writing.done() else None))
        finally:
            writing.cancel()
        raise DisconnectedError(f"connection lost: {self._why}")

    def give_up(self, why: str) -> None:
        """End the connection, so that there is another."""
        if not self.lost.done():
            self._why = why
            self.lost.set_result(None)
            self._acks.end(DisconnectedError(why))
            self._out.clear()
            self._written.set()
            self._news.set()

    async def close(self) -> None:
        """End it."""
        self.give_up("closed")
        with suppress(Exception):  # whatever a socket meets that is closed
            async with asyncio.timeout(CLOSE_S):
                await apart(self._client.close())
        self._client.abort()

    def _send(self, message: Outgoing, reply: str) -> None:
        self._out.append((message, reply))
        self._written.clear()
        self._news.set()

    async def _write(self) -> None:
        """One after the other, so that they arrive in order."""
        while not self.lost.done():
            await self._news.wait()
            self._news.clear()
            while self._out:
                message, reply = self._out.popleft()
                await self._client.publish(
                    message.subject, message.payload, reply, dict(message.headers or {}) or None
                )
            self._written.set()

    async def _answered(self, message: Msg) -> None:
        token = message.subject.rpartition(".")[2]
        self._acks.answered(token, message.headers, message.data)

    async def _command(self, message: Msg) -> None:
        name = message.subject.rpartition(".")[2]
        assert self._take is not None
        await self._take(Arrived(name, message.data, dict(message.headers or {})))

    async def _complained(self, error: Exception) -> None:
        """What the client or the server finds wrong, and does not end the connection for."""
        if isinstance(error, errors.SlowConsumerError):
            self.dropped += 1
            return
        self._said = worded(error)
        self._acks.refused(self._said)

    async def _closed(self) -> None:
        self.give_up(self._told(self._client.last_error))

    def _told(self, error: BaseException | None) -> str:
        if error is None or isinstance(error, errors.NoServersError):
            return self._said or "the server does not answer"
        return worded(error)
