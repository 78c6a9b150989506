"""MQTT 3.1.1 with as little work as possible, for who loads a gateway and who watches it.

Here: packets at QoS 1, one connection, and coming back when it ends. Not here: what is published
and counted (gateway_load.py). It shares no code with any system that is measured, and times are
taken where bytes come and go, so that the measuring costs the measured little.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

CONNECT_S = 10.0
RETRY_S = 0.05
KEEPALIVE_S = 600

_CONNACK, _PUBLISH, _PUBACK, _SUBACK = 2, 3, 4, 9

Heard = Callable[[str, bytes, float], None]
"""Called with topic, payload, and the time.monotonic() at which it was read."""


class BrokenError(Exception):
    """The broker refused, or did not answer in time."""


def text(value: str | bytes) -> bytes:
    """A string of MQTT 3.1.1, 1.5.3: its length before it."""
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(data)) + data


def packet(first: int, body: bytes) -> bytes:
    """`first` byte, the remaining length (MQTT 3.1.1, 2.2.3), `body`."""
    length, head = len(body), bytearray((first,))
    while True:
        length, part = length >> 7, length & 0x7F
        head.append(part | 0x80 if length else part)
        if not length:
            return bytes(head) + body


def publish_packet(topic: str, payload: bytes, mid: int, again: bool = False) -> bytes:
    """PUBLISH at QoS 1; `again` sets DUP."""
    return packet(0x3A if again else 0x32, text(topic) + struct.pack("!H", mid) + payload)


def packets(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """(first byte, body) of each whole packet; they are taken out of `buffer`."""
    at, end = 0, len(buffer)
    while True:
        length, shift, here = 0, 0, at + 1
        while here < end:
            length |= (buffer[here] & 0x7F) << shift
            shift += 7
            here += 1
            if not buffer[here - 1] & 0x80:
                break
        else:
            break
        if here + length > end:
            break
        yield buffer[at], bytes(buffer[here : here + length])
        at = here + length
    del buffer[:at]


class Wire(asyncio.Protocol):
    """One client; `async with Wire(port, "judge", ["a/#"], heard)`. It comes back by itself, with
    its session, publishes again what had no PUBACK, and PUBACKs what it hears."""

    def __init__(
        self, port: int, name: str, subscribe: Sequence[str] = (), heard: Heard | None = None
    ) -> None:
        self.unconfirmed: dict[int, tuple[str, bytes]] = {}
        self._port, self._name, self._subscribe = port, name, subscribe
        self._heard = heard
        self._mid = 0
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._ready = asyncio.Event()
        self._lost = asyncio.Event()
        self._moved = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Wire":
        self._keeper = asyncio.create_task(self._keep())
        await self.connected(CONNECT_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._keeper is not None
        self._keeper.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeper
        if self._transport is not None:
            self._transport.write(b"\xe0\x00")  # DISCONNECT
            self._transport.close()

    async def connected(self, seconds: float) -> None:
        """Returns when connected and subscribed. Raises BrokenError."""
        try:
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        except TimeoutError:
            raise BrokenError(f"no MQTT broker at 127.0.0.1:{self._port}") from None

    def publish(self, topic: str, payload: bytes) -> float:
        """Publish at QoS 1, now or when connected again; the time.monotonic() just before."""
        self._mid = self._mid % 65534 + 1
        self.unconfirmed[self._mid] = topic, payload
        packet = publish_packet(topic, payload, self._mid)
        now = time.monotonic()
        if self._transport is not None and self._ready.is_set():
            self._transport.write(packet)
        return now

    async def confirmed(self, at_most: int = 0) -> None:
        """Returns when the broker owes no more than `at_most` PUBACKs."""
        while len(self.unconfirmed) > at_most:
            self._moved.clear()
            await self._moved.wait()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._lost.clear()
            self._buffer.clear()
            with suppress(OSError):
                await loop.create_connection(lambda: self, "127.0.0.1", self._port)
                await self._lost.wait()
            await asyncio.sleep(RETRY_S)

    # asyncio's own names.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(high=1 << 24)
        flags = b"\x04\x00" + struct.pack("!H", KEEPALIVE_S)  # 3.1.1, session kept
        transport.write(packet(0x10, text("MQTT") + flags + text(self._name)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._ready.clear()
        self._lost.set()

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._buffer += data
        answers: list[bytes] = []
        for first, body in packets(self._buffer):
            kind = first >> 4
            if kind == _PUBLISH:
                answers.append(self._take(first, body, now))
            elif kind == _PUBACK:
                self._moved.set()
                self.unconfirmed.pop(struct.unpack("!H", body[:2])[0], None)
            elif kind == _CONNACK:
                self._accepted()
            elif kind == _SUBACK:
                self._go_on()
        if self._transport is not None and (joined := b"".join(answers)):
            self._transport.write(joined)

    def _take(self, first: int, body: bytes, now: float) -> bytes:
        length = 2 + (body[0] << 8 | body[1])
        topic = body[2:length].decode()
        answer = b""
        if first & 0x06:
            answer = packet(0x40, body[length : length + 2])
            length += 2
        if self._heard is not None:
            self._heard(topic, body[length:], now)
        return answer

    def _accepted(self) -> None:
        if not self._subscribe:
            self._go_on()
            return
        assert self._transport is not None
        filters = b"".join(text(topic) + b"\x01" for topic in self._subscribe)
        self._transport.write(packet(0x82, b"\xff\xff" + filters))

    def _go_on(self) -> None:
        assert self._transport is not None
        for mid, (topic, payload) in self.unconfirmed.items():
            self._transport.write(publish_packet(topic, payload, mid, again=True))
        self._ready.set()
