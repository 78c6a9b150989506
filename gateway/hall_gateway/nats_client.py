"""nats-py's client as both sides use it: strict about encryption, with a login by nkey.

Here: what is different from nats-py, and how its errors are worded. Not here: connections
(jetstream_connection.py, hall_fleet.link).
"""

import asyncio
import base64
from collections.abc import Coroutine
from typing import Any, TypeVar

import nkeys as _nkeys_as_it_is  # pyright: ignore[reportMissingTypeStubs]
from nats import errors
from nats.aio.client import Client
from nats.aio.transport import TcpTransport

from hall_gateway.wire import one_line

nkeys: Any = _nkeys_as_it_is  # it has no types

Result = TypeVar("Result")

CONNECT_S = 5.0
"""For TCP, for TLS, and for each answer while logging in."""


class StrictClient(Client):
    """Encrypted wherever the settings say so. nats-py goes by what the server says, before anybody
    knows whose words those are; then whoever sits between could keep it from encrypting."""

    encrypted = False

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if initial_connection and self.encrypted:
            if not (info.get("tls_required") or info.get("tls_available")):
                raise errors.SecureConnWantedError
            info["tls_required"] = True
        await super()._process_info(info, initial_connection)

    async def _process_op_err(self, e: Exception) -> None:
        """What was not sent goes nowhere any more: nats-py would try to send it, and end halfway
        through closing, with nobody told."""
        self._pending = []
        self._pending_data_size = 0
        await super()._process_op_err(e)

    def abort(self) -> None:
        """Let go of the socket, which close() leaves when the other side takes nothing."""
        if isinstance(transport := self._transport, TcpTransport):
            writer = transport._io_writer  # pyright: ignore[reportPrivateUsage]
            if writer is not None:
                writer.transport.abort()


async def apart(work: Coroutine[Any, Any, Result]) -> Result:
    """What a call of the client returns, which runs in a task of its own: for it may lose a
    cancellation (asyncio.wait_for does so before Python 3.12), and whoever waits here may not.

    Cancelled, this does not wait for the call: close() or abort() the client then.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        await asyncio.wait((task,))
    finally:
        task.cancel()
    return task.result()


def signed(nonce: str, seed: bytes) -> bytes:
    """A server's nonce, signed with the key of `seed`, in base64."""
    pair = nkeys.from_seed(bytearray(seed))
    signature: bytes = pair.sign(nonce.encode())
    return base64.b64encode(signature)


def worded(error: BaseException) -> str:
    """In one line, without the client's name before it."""
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_S:.0f} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split()).removeprefix("nats: ").strip("'")
    return one_line(text or type(error).__name__, 300)
