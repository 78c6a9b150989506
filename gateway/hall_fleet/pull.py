"""Messages of a durable pull consumer, in batches.

Here: asking for messages, collecting them, and acknowledging. Not here: the connection (link.py),
the consumer's settings (streams.py), what is done with a batch (intake.py).

nats-py's own fetch() makes a task and a timer for each message, which is most of what a message
costs; here they come by a callback. A request is answered by that many messages, or by a status
when its time is over (https://docs.nats.io/reference/reference-protocols/nats_api_reference); each
has an inbox of its own, by which a status says which request it ends. Requests are served in order.
"""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, cast

from hall_gateway.nats_client import worded
from hall_gateway.wire import one_line
from nats import errors
from nats.aio.msg import Msg

from hall_fleet.batch import Message
from hall_fleet.link import Link, LinkError

EXPIRES_S = 5.0
"""Of a request; a consumer whose leader was killed forgets it without a word."""
_OVER = ("404", "408")

log = logging.getLogger(__name__)


@dataclass
class _Request:
    number: int
    left: int
    until: float


class Pull:
    """One subscription to `consumer` of `stream`; at most `most` messages are on their way here or
    wait, beside the batch that was handed out."""

    def __init__(self, link: Link, stream: str, consumer: str, most: int) -> None:
        self._link = link
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = f"{link.inbox}.{token_hex(8)}"
        self._most = most
        self._came: deque[Message] = deque()
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._requests: deque[_Request] = deque()
        self._number = 0
        self._over = False

    async def begin(self) -> None:
        """Raises LinkError."""
        try:
            subscribe: Any = cast(Any, self._link.client).subscribe
            await subscribe(f"{self._inbox}.*", cb=self._take)
        except errors.Error as error:
            raise LinkError(worded(error)) from None
        await self.ask()

    async def batch(self, wait_s: float, linger_s: float) -> list[Message]:
        """What comes within `linger_s` of the first message; none when none comes in `wait_s`.

        Raises LinkError when the connection is gone.
        """
        await self.ask()
        if not self._came:
            await self._until(self._some, wait_s)
        if self._came and len(self._came) < self._most:
            await self._until(self._full, linger_s)
        if self._link.lost.done():
            raise LinkError("the connection to NATS is gone")
        found = [self._came.popleft() for _ in range(min(self._most, len(self._came)))]
        self._some.clear()
        self._full.clear()
        return found

    async def ask(self) -> None:
        """Ask for as many as there is room for; to be called before the last batch is worked on, so
        that the next one comes meanwhile. Raises LinkError."""
        if self._over:
            return
        now = time.monotonic()
        while self._requests and self._requests[0].until < now:
            self._requests.popleft()
        room = self._most - len(self._came) - sum(request.left for request in self._requests)
        if room < self._most // 2:
            return
        self._number += 1
        self._requests.append(_Request(self._number, room, now + EXPIRES_S + 1))
        wanted = {"batch": room, "expires": int(EXPIRES_S * 1e9)}
        await self._publish(
            self._next, json.dumps(wanted).encode(), f"{self._inbox}.{self._number}"
        )

    def last(self) -> None:
        """Nothing more is asked for."""
        self._over = True

    async def ack(self, messages: Iterable[Message]) -> None:
        """They are done with. Raises LinkError; then they come again."""
        for message in messages:
            await self._publish(message.reply)

    async def give_back(self, messages: Iterable[Message]) -> None:
        """They are to be delivered again, to whoever asks, and so are those that wait here."""
        for message in (*messages, *self._came):
            await self._publish(message.reply, b"-NAK")
        self._came.clear()
        self._some.clear()

    async def _publish(self, subject: str, body: bytes = b"", reply: str = "") -> None:
        try:
            await self._link.client.publish(subject, body, reply)
        except (errors.Error, OSError) as error:
            raise LinkError(worded(error)) from None

    async def _take(self, message: Msg) -> None:
        headers = message.headers or {}
        if "Status" in headers and not message.reply:
            await self._ended(message.subject, headers)
            return
        if self._requests:
            self._requests[0].left -= 1
            if self._requests[0].left <= 0:
                self._requests.popleft()
        self._came.append(Message(message.subject, headers, message.data, message.reply))
        self._some.set()
        if len(self._came) >= self._most:
            self._full.set()

    async def _ended(self, subject: str, headers: dict[str, str]) -> None:
        number = subject.rpartition(".")[2]
        self._requests = deque(r for r in self._requests if str(r.number) != number)
        if headers["Status"] in _OVER:
            await self.ask()
        else:  # the next batch() asks again
            log.warning("%s: %s", self._next, one_line(" ".join(headers.values()), 200))

    async def _until(self, event: asyncio.Event, seconds: float) -> None:
        """Until it is set, the connection is gone, or so many seconds have passed."""
        waiting = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait(
                (waiting, self._link.lost), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waiting.cancel()
