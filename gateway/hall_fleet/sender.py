"""Commands of the back office to a hall, and the hall's replies.

Here: sending one until there is a reply or its time is over. Not here: what a command means
(docs/reference/contract), the connection (link.py), how a hall takes it (jetstream_commands.py).

NATS stores neither command nor reply. So whoever sends listens for the reply first, and sends the
same again, with the same id, until one comes: a hall does it once, and repeats its reply.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.nats_client import worded
from hall_gateway.wire import compact
from nats import errors

from hall_fleet.link import Link, LinkError

AGAIN_S = 3.0
MOST_REPLIES = 16
"""To one command that wait to be read; a hall that sends more is not what was asked."""


class NoReplyError(Exception):
    """The time is over: why nothing is known of the command, in one line."""


async def send_command(
    links: Callable[[], AbstractAsyncContextManager[Link]],
    hall: str,
    name: str,
    body: Mapping[str, Any],
    ttl_s: float,
    again_s: float = AGAIN_S,
) -> dict[str, Any]:
    """The hall's reply, {"id", "ok", "result" | "error"}, to the command `name` with `body`, which
    has its `id`. `links` gives a connection, and another when one is lost.

    For `ttl_s` seconds (at most an hour) the hall may do it, by its own clock, and its reply is
    waited for. Raises NoReplyError: whether it was done is not known then.
    """
    expires_ms = time.time_ns() // 1_000_000 + int(ttl_s * 1000)
    why = "the hall did not reply: is its gateway connected?"
    try:
        async with asyncio.timeout(ttl_s):
            while True:
                try:
                    async with links() as link:
                        why = "the hall did not reply: is its gateway connected?"
                        return await _sent(link, hall, name, body, expires_ms, again_s)
                except LinkError as error:
                    why = f"no connection to the servers: {error}"
                    await asyncio.sleep(again_s)
    except TimeoutError:
        raise NoReplyError(f"{hall}: no reply in {ttl_s:g} s: {why}") from None


async def _sent(
    link: Link, hall: str, name: str, body: Mapping[str, Any], expires_ms: int, again_s: float
) -> dict[str, Any]:
    """Raises LinkError when the connection is lost before there is a reply."""
    id = str(body["id"])
    replies: asyncio.Queue[bytes] = asyncio.Queue(MOST_REPLIES)

    async def take(message: Any) -> None:
        if not replies.full():
            replies.put_nowait(message.data)

    try:
        listening: Any = await cast(Any, link.client).subscribe(subjects.reply(hall, id), cb=take)
        try:
            await link.flush()
            return await _replied(link, hall, name, body, expires_ms, again_s, replies)
        finally:
            await listening.unsubscribe()
    except (errors.Error, OSError) as error:
        raise LinkError(worded(error)) from None


async def _replied(
    link: Link,
    hall: str,
    name: str,
    body: Mapping[str, Any],
    expires_ms: int,
    again_s: float,
    replies: asyncio.Queue[bytes],
) -> dict[str, Any]:
    headers = {subjects.EXPIRES_HEADER: str(expires_ms)}
    while True:
        await link.client.publish(
            subjects.command(hall, name), compact(dict(body)), headers=headers
        )
        await link.flush()
        found = asyncio.create_task(replies.get())
        await asyncio.wait({found, link.lost}, timeout=again_s, return_when="FIRST_COMPLETED")
        if found.done():
            reply = _read(found.result(), str(body["id"]))
            if reply is not None:
                return reply
        found.cancel()
        if link.lost.done():
            raise LinkError("it was lost")


def _read(payload: bytes, id: str) -> dict[str, Any] | None:
    """None when it is no reply to this command."""
    try:
        found: object = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    reply = cast(dict[str, Any], found)
    return reply if reply.get("id") == id and isinstance(reply.get("ok"), bool) else None
