"""A broker made of raw bytes, that can be told to misbehave, with a gateway's acks built in.

Each connection runs the next behaviour of `plan`, and `behave` (serve everything properly) when the
plan is used up. A behaviour is a coroutine function of a Session. What the device sent and when it
let go of its socket is recorded, so that tests assert on what the broker saw.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

CONNACK = b"\x20\x02\x00\x00"
PINGRESP = b"\xd0\x00"


def remaining_length(length: int) -> bytes:
    """A length as MQTT 3.1.1 section 2.2.3 writes it."""
    out = bytearray()
    while True:
        length, low = divmod(length, 128)
        out.append(low | (128 if length else 0))
        if not length:
            return bytes(out)


def packet(head: int, body: bytes) -> bytes:
    return bytes([head]) + remaining_length(len(body)) + body


def publish(topic: str, payload: bytes, pid: int | None = 1, flags: int = 0) -> bytes:
    """A PUBLISH with QoS 1, or QoS 0 when pid is None; `flags`: 8 is DUP, 1 is RETAIN."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name
    if pid is None:
        return packet(0x30 | flags, body + payload)
    return packet(0x32 | flags, body + pid.to_bytes(2, "big") + payload)


@dataclass
class Session:
    """One connection as the broker sees it; times are of time.monotonic()."""

    broker: HostileBroker
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    packets: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    client_id: str = ""
    hurt_at: float | None = None  # when the misbehaviour began
    gone_at: float | None = None  # when the device had closed its socket
    _pid: int = 0

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def down(self, name: str, payload: bytes, flags: int = 0, qos: int = 1) -> int:
        """Publish on the device's down tree; the packet id."""
        self._pid = self._pid % 65535 + 1
        topic = f"device/v1/{self.client_id}/down/{name}"
        self.send(publish(topic, payload, self._pid if qos else None, flags))
        return self._pid

    def hurt(self) -> None:
        """From here on the device should notice."""
        self.hurt_at = time.monotonic()

    async def read(self) -> tuple[int, bytes]:
        """The next packet: (first byte, body)."""
        head = (await self.reader.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await self.reader.readexactly(1))[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        body = await self.reader.readexactly(length)
        self.packets.append((head, body))
        return head, body

    async def accept(self) -> None:
        """CONNECT in, CONNACK out."""
        await self.read_connect()
        self.send(CONNACK)

    async def read_connect(self) -> None:
        head, body = await self.read()
        assert head == 0x10, f"the first packet is {head:#x}"
        size = int.from_bytes(body[10:12], "big")
        self.client_id = body[12 : 12 + size].decode()

    async def read_until(self, head: int) -> bytes:
        """Serve properly until a packet of this type came; its body, unanswered."""
        while True:
            got, body = await self.read()
            if got & 0xF0 == head & 0xF0:
                return body
            self.answer(got, body)

    async def serve(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Answer everything properly, as broker and as gateway."""
        while not until():
            self.answer(*await self.read())

    def answer(self, head: int, body: bytes) -> None:
        kind = head & 0xF0
        if kind == 0x80:
            topics = body.count(b"/down/")
            self.send(packet(0x90, body[:2] + b"\x01" * topics))
        elif kind == 0x30:
            topic, pid, payload = parse_publish(body)
            self.send(packet(0x40, pid))
            self.broker.take(self, topic, payload)
        elif kind == 0xC0:
            self.send(PINGRESP)

    async def until_gone(self) -> None:
        """Read and answer nothing until the device closes."""
        while await self.reader.read(4096):
            pass


def parse_publish(body: bytes) -> tuple[str, bytes, bytes]:
    """The body of a QoS 1 PUBLISH: (topic, packet id, payload)."""
    size = int.from_bytes(body[:2], "big")
    return body[2 : 2 + size].decode(), body[2 + size : 4 + size], body[4 + size :]


Behaviour = Callable[[Session], Awaitable[None]]


async def behave(session: Session) -> None:
    await session.accept()
    await session.serve()


class HostileBroker:
    """`async with HostileBroker(plan) as broker:` listens on broker.port.

    `events` are the payloads of up/event in order of arrival, repeats included; `bodies` has one a
    seq; `committed` is the gateway's mark: every seq up to it has come; `epoch` is the journal's,
    once a state came. With `acks` false the gateway part stays silent.
    """

    def __init__(self, plan: Sequence[Behaviour] = ()) -> None:
        self.plan = list(plan)
        self.sessions: list[Session] = []
        self.events: list[bytes] = []
        self.bodies: dict[int, bytes] = {}
        self.states: list[dict[str, Any]] = []
        self.replies: list[dict[str, Any]] = []
        self.committed = 0
        self.acked = 0  # what the last ack said
        self.most_unacked = 0  # the greatest distance of an event's seq from that
        self.acks = True
        self.epoch = 0
        self.port = 0
        self.changed = asyncio.Condition()
        self.failures: list[BaseException] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, session: Session, topic: str, payload: bytes) -> None:
        """What a gateway does with a message that came up."""
        if topic.endswith("/up/event"):
            self.take_event(session, payload)
        elif topic.endswith("/up/state"):
            state = json.loads(payload)
            self.states.append(state)
            self.epoch = state["journal"]["epoch"]
            if self.acks:
                self.ack(session, self.epoch)
        elif topic.endswith("/up/reply"):
            self.replies.append(json.loads(payload))

    def take_event(self, session: Session, payload: bytes) -> None:
        event = json.loads(payload)
        seq = event["seq"]
        self.events.append(payload)
        self.most_unacked = max(self.most_unacked, seq - self.acked)
        first = self.bodies.setdefault(seq, payload)
        # A gap is made anew each time it goes: its range is what counts.
        same = event["kind"] == "gap" or first == payload
        assert same, f"seq {seq} came with another body"
        if event["kind"] == "gap":
            self.committed = max(self.committed, event["data"]["to"])
        while self.committed + 1 in self.bodies:
            self.committed += 1
        if self.acks:
            self.ack(session, event["epoch"])

    def ack(self, session: Session, epoch: int, seq: int | None = None) -> None:
        """Publish down/ack, by default for all that is committed."""
        self.acked = self.committed if seq is None else seq
        now = time.time_ns() // 1_000_000
        text = json.dumps({"epoch": epoch, "seq": self.acked, "now": now})
        session.down("ack", text.encode())

    async def wait(self, condition: Callable[[], bool], within_s: float = 60.0) -> None:
        """Until the condition holds; it is looked at after each packet and each closed socket."""
        async with asyncio.timeout(within_s), self.changed:
            await self.changed.wait_for(lambda: condition() or bool(self.failures))
        if self.failures:
            raise self.failures[0]

    async def wait_committed(self, seq: int, within_s: float = 60.0) -> None:
        """Until every event up to this seq has come."""
        await self.wait(lambda: self.committed >= seq, within_s)

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(self, _Watched(reader, self._notify), writer)  # type: ignore[arg-type]
        self.sessions.append(session)
        behaviour = self.plan.pop(0) if self.plan else behave
        try:
            await behaviour(session)
            session.writer.close()
        except (asyncio.IncompleteReadError, OSError):
            session.gone_at = time.monotonic()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.failures.append(error)
        finally:
            session.gone_at = session.gone_at or time.monotonic()
            writer.close()
            await self._notify()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._run(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> HostileBroker:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()


class _Watched:
    """A stream reader that tells after each read, so that wait() looks again."""

    def __init__(self, reader: asyncio.StreamReader, tell: Callable[[], Awaitable[None]]) -> None:
        self._reader = reader
        self._tell = tell

    async def readexactly(self, n: int) -> bytes:
        await self._tell()
        return await self._reader.readexactly(n)

    async def read(self, n: int) -> bytes:
        await self._tell()
        return await self._reader.read(n)
