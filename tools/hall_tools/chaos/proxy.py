"""A link between two parties that fails as it is told: a TCP proxy that knows MQTT packets.

Here: what becomes of bytes and packets on the way. Not here: when a link fails (plan.py), where it
leads (run.py). "up" is from who connects to the broker, "down" the other way.
"""

import asyncio
import contextlib
import socket
import struct
from collections import Counter, deque
from typing import Literal, Protocol, TypeAlias

from hall_tools.chaos.packets import NotMqttError, Publish, Splitter, puback, publish

Side: TypeAlias = Literal["up", "down"]

_CHUNK = 4096
_SLOW_CHUNK = 50
_RECENT = 8
"""Messages that may come again: as many as a device has under way."""
_OVERTAKEN_S = 0.5
"""So long a message waits for another that may overtake it."""
_RST = struct.pack("ii", 1, 0)


class Target(Protocol):
    """Who listens on a port of 127.0.0.1, now on this one, now on that."""

    @property
    def port(self) -> int: ...


class Link:
    """`port` is on 127.0.0.1 from start() to close(); behind it is `target`, wherever that is.
    `mqtt`: what passes is MQTT, or nothing passes; without it bytes are bytes, and none of what
    is done to packets can be wanted."""

    def __init__(self, name: str, target: Target, *, mqtt: bool = True) -> None:
        self.name = name
        self.mqtt = mqtt
        self.port = 0
        self.delay_s = 0.0
        self.slow: dict[Side, int] = {}
        """Bytes a second that one side takes."""
        self.done: Counter[str] = Counter()
        """What was done to single packets: cut_mid_packet, repeat, reorder."""
        self.wanted: dict[tuple[str, Side], int] = {}
        """What is still to be done to how many: ("repeat", "up"), and so on."""
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def hold(self) -> None:
        """Nothing passes any more: a black hole."""
        self._open.clear()

    def resume(self) -> None:
        """Everything is as it should be. What was held up goes on its way."""
        self.delay_s = 0.0
        self.slow.clear()
        self.wanted.clear()
        self._open.set()

    def reset(self) -> None:
        """Every connection ends with a TCP reset on both sides."""
        for connection in self._connections:
            connection.reset()

    async def passes(self) -> None:
        await self._open.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            # A black hole takes no connection further either.
            await self._open.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target.port)
        except OSError:
            _reset(writer)
            return
        except asyncio.CancelledError:
            _reset(writer)
            return
        finally:
            self._serving.discard(task)
        self._serving.add(task)
        connection = _Connection(self, (reader, writer), (far_reader, far_writer))
        self._connections.add(connection)
        try:
            await connection.run()
        except asyncio.CancelledError:
            pass  # the link is being closed
        finally:
            connection.reset()
            self._connections.discard(connection)
            self._serving.discard(task)


_Party: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    def __init__(self, link: Link, near: _Party, far: _Party) -> None:
        self._link = link
        self._writers = near[1], far[1]
        self._pumps = {
            "up": _Pump(link, "up", near[0], far[1]),
            "down": _Pump(link, "down", far[0], near[1]),
        }
        self._pumps["up"].other = self._pumps["down"]
        self._pumps["down"].other = self._pumps["up"]
        for writer in self._writers:
            _at_once(writer, felt=link.mqtt)

    async def run(self) -> None:
        """Until one side ends it, or the link does."""
        tasks = [asyncio.create_task(pump.run()) for pump in self._pumps.values()]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # An end in order lets what was sent before it arrive.
            for pump in self._pumps.values():
                pump.flush()
                pump.writer.close()

    def reset(self) -> None:
        for writer in self._writers:
            _reset(writer)


class _Pump:
    """One direction of one connection."""

    def __init__(
        self, link: Link, side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.other = self
        self.writer = writer
        self.owed: Counter[int] = Counter()
        """PUBACKs by packet identifier that its sender does not wait for: of what came again."""
        self._link = link
        self._side: Side = side
        self._reader = reader
        self._loop = asyncio.get_running_loop()
        self._splitter = Splitter()
        self._recent: deque[Publish] = deque(maxlen=_RECENT)
        self._overtaken: Publish | None = None
        self._late = 0.0  # when the last byte that was delayed goes

    async def run(self) -> None:
        """Until the sender ends the connection, or a packet is cut."""
        link, side = self._link, self._side
        with contextlib.suppress(OSError, NotMqttError, _CutError):
            while True:
                rate = link.slow.get(side)
                data = await self._reader.read(_SLOW_CHUNK if rate else _CHUNK)
                if not data:
                    return
                if rate:
                    await asyncio.sleep(len(data) / rate)
                for packet in self._splitter.feed(data) if link.mqtt else [data]:
                    await link.passes()
                    await self._pass(packet)
                await self.writer.drain()

    async def _pass(self, packet: bytes) -> None:
        if not self._link.mqtt:
            self._write(packet)
            return
        confirmed = puback(packet)
        if confirmed is not None and self.other.owed[confirmed]:
            self.other.owed[confirmed] -= 1
            return
        message = publish(packet)
        if message is None:
            self._write(packet)
            return
        if self._take("cut_mid_packet"):
            self.flush()
            self._write(packet[: len(packet) // 2])
            await self.writer.drain()
            raise _CutError
        held = self._overtaken
        if held is None and self._take("reorder"):
            self._overtaken = message
            self._loop.call_later(_OVERTAKEN_S, self._let_go, message)
            return
        if held is not None and held.topic == message.topic:
            self.flush()  # those of one topic stay in order
        self._send(message)
        if self._overtaken is not None:
            self._link.done["reorder"] += 1
            self.flush()
        if self._take("repeat"):
            self._link.done["repeat"] += len(self._recent)
            for again in list(self._recent):
                self.owed[again.pid] += 1
                self._write(again.again())

    def flush(self) -> None:
        """What was to be overtaken goes now."""
        held, self._overtaken = self._overtaken, None
        if held is not None:
            self._send(held)

    def _let_go(self, message: Publish) -> None:
        if self._overtaken is message:
            self.flush()

    def _send(self, message: Publish) -> None:
        self._recent.append(message)
        self._write(message.packet)

    def _take(self, what: str) -> bool:
        """Whether that is to be done to this packet."""
        key = what, self._side
        left = self._link.wanted.get(key, 0)
        if left <= 0:
            return False
        self._link.wanted[key] = left - 1
        if what == "cut_mid_packet":
            self._link.done[what] += 1
        return True

    def _write(self, data: bytes) -> None:
        now = self._loop.time()
        due = max(self._late, now + self._link.delay_s)
        if due <= now:
            self._put(data)
        else:
            self._late = due
            self._loop.call_at(due, self._put, data)

    def _put(self, data: bytes) -> None:
        if not self.writer.is_closing():
            self.writer.write(data)


class _CutError(Exception):
    """The connection ends in the middle of a packet."""


def _at_once(writer: asyncio.StreamWriter, *, felt: bool) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if felt:
        # Small, so that who reads slowly is felt by who sends. TCP waits 0.2 s when it is full.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _CHUNK)


def _reset(writer: asyncio.StreamWriter) -> None:
    if writer.is_closing():
        return
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
    writer.transport.abort()
