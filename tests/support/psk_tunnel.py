"""MQTT by hand over TLS-PSK, as fast as a connection takes it: openssl's s_client as the tunnel.

Here: one connection of whoever has a device's key, its packets made by hand, so that it can say
what no client library lets anybody say. Not here: what is said (tests). Python's own ssl knows no
PSK before 3.13.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress

from hall_tools.bench.gateway_wire import packet, packets, text

CONNACK, PUBLISH, PUBACK, SUBACK, UNSUBACK, PINGRESP = 2, 3, 4, 9, 11, 13
ANSWER_S = 60.0


def connect(client_id: str, will: tuple[str, bytes] | None = None, retain: bool = False) -> bytes:
    """CONNECT of a clean session; `will` at QoS 1."""
    flags = 2 | (0 if will is None else 0x0C | (0x20 if retain else 0))
    body = text("MQTT") + bytes((4, flags)) + struct.pack("!H", 600) + text(client_id)
    return packet(0x10, body + (b"" if will is None else text(will[0]) + text(will[1])))


def publish(topic: str, payload: bytes, mid: int = 0, *, retain: bool = False) -> bytes:
    """PUBLISH at QoS 1, or at QoS 0 when it has no `mid`."""
    first = 0x30 | (0x02 if mid else 0) | (0x01 if retain else 0)
    return packet(first, text(topic) + (struct.pack("!H", mid) if mid else b"") + payload)


def subscribe(filters: Sequence[str], mid: int = 1) -> bytes:
    body = b"".join(text(each) + b"\1" for each in filters)
    return packet(0x82, struct.pack("!H", mid) + body)


class ClosedError(Exception):
    """The broker has ended the connection."""


class Tunnel:
    """A connection: bytes go in by `send`, packets come out by `next`, in their order."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._buffer = bytearray()
        self._came: list[tuple[int, bytes]] = []

    async def send(self, data: bytes) -> None:
        """Waits while the connection takes no more. Raises ClosedError."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise ClosedError from None

    async def next(self) -> tuple[int, bytes]:
        """(first byte, body) of the next packet. Raises ClosedError."""
        assert self._process.stdout is not None
        while not self._came:
            data = await self._process.stdout.read(1 << 16)
            if not data:
                raise ClosedError
            self._buffer += data
            self._came += packets(self._buffer)
        return self._came.pop(0)

    async def until(self, kind: int) -> bytes:
        """The body of the next packet of that kind. Raises ClosedError."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                first, body = await self.next()
                if first >> 4 == kind:
                    return body

    async def ask(self, data: bytes, kind: int) -> bytes:
        """Send, and the body of the next packet of that kind."""
        await self.send(data)
        return await self.until(kind)


@asynccontextmanager
async def tunnel(port: int, identity: str, psk: str) -> AsyncGenerator[Tunnel]:
    """TLS-PSK to the broker at `port`; MQTT is for the caller to begin."""
    process = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-tls1_2"),
        *("-psk_identity", identity, "-psk", psk, "-cipher", "PSK-AES128-GCM-SHA256"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield Tunnel(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
