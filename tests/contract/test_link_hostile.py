"""The link against a broker that does everything wrong, in the real MicroPython.

Whatever happens: the device lets go of the connection within its deadline and says why, connects
again, and the gateway gets every event.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.hostile_broker import (
    CONNACK,
    Behaviour,
    HostileBroker,
    Session,
    behave,
    packet,
    publish,
)
from support.link_device import LinkDevice

# The device's deadlines are 0.6 s in these tests; the rest is for a busy machine.
NOTICED_S = 3.0

DOWN = "device/v1/kp-1/down/"
GRANTED = packet(0x90, b"\x00\x01\x01\x01\x01\x01")  # the first packet id of a connection is 1
HALF_PUBLISH = publish(DOWN + "ack", b'{"epoch":1,"seq":1,"now":1}')[:20]


async def survives(
    behaviours: list[Behaviour],
    folder: Path,
    *because: str,
    timings: Mapping[str, int] | None = None,
) -> None:
    """One device through the plan: each session ends in time with its reason, nothing is lost."""
    failures = len(behaviours)
    async with (
        HostileBroker(behaviours) as broker,
        LinkDevice(broker.port, folder, timings=timings) as device,
    ):
        await device.append(3)
        await broker.wait(lambda: len(broker.sessions) > failures, 10 + failures)
        last = await device.append(3)
        await broker.wait_committed(last)
        report = await device.report()
        for session in broker.sessions[:-1]:
            assert session.hurt_at is not None
            assert session.gone_at is not None
            assert session.gone_at - session.hurt_at < NOTICED_S
        told = [text for _, _, text in report["errors"]]
        for reason in because:
            assert any(reason in text for text in told), told
        stats = report["stats"]
        assert stats["failures"] == failures
        assert stats["opened"] == stats["closed"] + 1, "a socket was left open"
        assert stats["opened"] == failures + 1


# Every step of a connection's life, up to the moment at which the broker goes wrong.


async def before_connack(session: Session) -> None:
    await session.read_connect()


async def within_connack(session: Session) -> None:
    await session.read_connect()
    session.send(CONNACK[:2])


async def after_connack(session: Session) -> None:
    await session.accept()


async def within_suback(session: Session) -> None:
    await session.accept()
    await session.read_until(0x80)
    session.send(GRANTED[:3])


async def before_the_first_puback(session: Session) -> None:
    await session.accept()
    session.answer(0x82, await session.read_until(0x80))
    await session.read_until(0x30)


async def within_a_puback(session: Session) -> None:
    await before_the_first_puback(session)
    session.send(b"\x40\x02\x00")


async def within_a_publish(session: Session) -> None:
    await session.accept()
    session.answer(0x82, await session.read_until(0x80))
    session.send(HALF_PUBLISH)


async def before_a_pingresp(session: Session) -> None:
    await session.accept()
    await session.read_until(0xC0)


STEPS = [
    before_connack,
    within_connack,
    after_connack,
    within_suback,
    before_the_first_puback,
    within_a_puback,
    within_a_publish,
    before_a_pingresp,
]


async def closes(session: Session) -> None:
    session.writer.close()


async def resets(session: Session) -> None:
    session.writer.transport.abort()


async def stalls(session: Session) -> None:
    await session.until_gone()


@pytest.mark.parametrize("manner", [closes, resets, stalls])
@pytest.mark.parametrize("step", STEPS)
async def test_goes_wrong_at_each_step(step: Behaviour, manner: Behaviour, tmp_path: Path) -> None:
    async def behaviour(session: Session) -> None:
        await step(session)
        session.hurt()
        await manner(session)

    await survives([behaviour], tmp_path)


async def test_nobody_listens(tmp_path: Path) -> None:
    broker = HostileBroker()
    await broker.start()
    await broker.stop()
    async with LinkDevice(broker.port, tmp_path) as device:
        last = await device.append(3)
        report = await device.until(lambda report: report["stats"]["failures"] >= 3)
        assert report["errors"][-1][2] == "TCP connection failed: ECONNREFUSED"
        await broker.start(broker.port)
        await broker.wait_committed(last)
        stats = (await device.report())["stats"]
        assert stats["opened"] == stats["closed"] + 1
        await broker.stop()


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (1, "unacceptable protocol version"),
        (2, "identifier rejected"),
        (3, "server unavailable"),
        (4, "bad user name or password"),
        (5, "not authorized"),
        (77, "unknown return code"),
    ],
)
async def test_refuses(code: int, name: str, tmp_path: Path) -> None:
    async def refuses(session: Session) -> None:
        await session.read_connect()
        session.hurt()
        session.send(bytes([0x20, 2, 0, code]))
        await session.until_gone()

    await survives([refuses], tmp_path, f"refused by the broker: {code}, {name}")


@pytest.mark.parametrize(
    "connack",
    [b"\x20\x02\x02\x00", b"\x20\x03\x00\x00\x00", b"\x20\x01\x00", b"\x21\x02\x00\x00", GRANTED],
)
async def test_sends_no_connack(connack: bytes, tmp_path: Path) -> None:
    async def confuses(session: Session) -> None:
        await session.read_connect()
        session.hurt()
        session.send(connack)
        await session.until_gone()

    await survives([confuses], tmp_path, "malformed CONNACK")


@pytest.mark.parametrize(
    ("suback", "because"),
    [
        (b"\x00\x01\x01\x80\x01\x01", "subscription refused: device/v1/kp-1/down/desired"),
        (b"\x00\x01\x01\x02\x01\x01", "subscription refused"),
        (b"\x00\x01\x01\x01\x01", "malformed SUBACK"),
        (b"\x00\x02\x01\x01\x01\x01", "SUBACK for nothing asked"),
        (b"\x00\x01", "malformed or unexpected packet 0x90"),
    ],
)
async def test_refuses_a_subscription(suback: bytes, because: str, tmp_path: Path) -> None:
    async def refuses(session: Session) -> None:
        await session.accept()
        await session.read_until(0x80)
        session.hurt()
        session.send(packet(0x90, suback))
        await session.until_gone()

    await survives([refuses], tmp_path, because)


UNEXPECTED = "malformed or unexpected packet"


@pytest.mark.parametrize(
    ("data", "because"),
    [
        pytest.param(b"\x30\xff\xff\xff\xff\x01", "malformed remaining length", id="length-long"),
        pytest.param(b"\x30\xff\xff\xff\x7f", "packet of 268435455 bytes", id="length-256-mb"),
        pytest.param(publish(DOWN + "cmd", b" " * 3000), "packet of 30", id="oversized"),
        pytest.param(packet(0x90, b"\x01" * 2049), "packet of 2049 bytes", id="oversized-by-one"),
        pytest.param(b"\x00\x00", UNEXPECTED + " 0x00", id="type-0"),
        pytest.param(b"\x10\x00", UNEXPECTED + " 0x10", id="connect"),
        pytest.param(CONNACK, UNEXPECTED + " 0x20", id="second-connack"),
        pytest.param(b"\x50\x02\x00\x01", UNEXPECTED + " 0x50", id="pubrec"),
        pytest.param(b"\x62\x02\x00\x01", UNEXPECTED + " 0x62", id="pubrel"),
        pytest.param(b"\x70\x02\x00\x01", UNEXPECTED + " 0x70", id="pubcomp"),
        pytest.param(b"\xb0\x02\x00\x01", UNEXPECTED + " 0xb0", id="unsuback"),
        pytest.param(b"\xc0\x00", UNEXPECTED + " 0xc0", id="pingreq"),
        pytest.param(b"\xe0\x00", UNEXPECTED + " 0xe0", id="disconnect"),
        pytest.param(b"\xf0\x00", UNEXPECTED + " 0xf0", id="type-15"),
        pytest.param(b"\x41\x02\x00\x01", UNEXPECTED + " 0x41", id="puback-flags"),
        pytest.param(b"\x40\x03\x00\x01\x00", UNEXPECTED + " 0x40", id="puback-3-bytes"),
        pytest.param(b"\x40\x00", UNEXPECTED + " 0x40", id="puback-empty"),
        pytest.param(b"\xd0\x01\x00", UNEXPECTED + " 0xd0", id="pingresp-body"),
        pytest.param(GRANTED, "SUBACK for nothing asked", id="second-suback"),
        pytest.param(packet(0x34, b"\x00\x01a\x00\x01"), "PUBLISH with QoS 2", id="qos-2"),
        pytest.param(packet(0x36, b"\x00\x01a\x00\x01"), "PUBLISH with QoS 3", id="qos-3"),
        pytest.param(packet(0x38, b"\x00\x01a"), "malformed PUBLISH", id="dup-qos-0"),
        pytest.param(packet(0x32, b"\x00\x01a\x00\x00"), "malformed PUBLISH", id="pid-0"),
        pytest.param(packet(0x32, b"\x00\x01a\x00"), "malformed PUBLISH", id="half-a-pid"),
        pytest.param(packet(0x30, b"\x00\x05a"), "malformed PUBLISH", id="topic-beyond-the-end"),
        pytest.param(packet(0x30, b"\x00\x00a"), "malformed PUBLISH", id="topic-empty"),
        pytest.param(packet(0x30, b"\x00"), "malformed PUBLISH", id="no-topic"),
        pytest.param(packet(0x30, b"\x00\x02\xc3\x28"), "not UTF-8", id="topic-not-utf-8"),
    ],
)
async def test_sends_a_bad_packet(data: bytes, because: str, tmp_path: Path) -> None:
    async def breaks(session: Session) -> None:
        await session.accept()
        session.answer(0x82, await session.read_until(0x80))
        session.answer(0x30, await session.read_until(0x30))
        session.hurt()
        session.send(data)
        await session.until_gone()

    await survives([breaks], tmp_path, because)


def rubbish(seed: int) -> Behaviour:
    """Random bytes, or a good packet with some bytes changed, at a random step of the session."""
    chance = random.Random(seed)
    good = publish(DOWN + chance.choice(["ack", "cmd", "desired"]), b'{"rev":1,"id":"a"}')
    if chance.random() < 0.5:
        data = chance.randbytes(chance.randrange(1, 60))
    else:
        data = bytes(byte ^ (chance.random() < 0.1) << chance.randrange(8) for byte in good)
    step = chance.choice([before_connack, after_connack, before_the_first_puback])

    async def behaviour(session: Session) -> None:
        await step(session)
        session.hurt()
        session.send(data)
        session.writer.write_eof()
        await session.until_gone()

    return behaviour


async def test_sends_rubbish(tmp_path: Path) -> None:
    await survives([rubbish(seed) for seed in range(150)], tmp_path, timings={"reconnect_last": 50})


class OneByteAtATime:
    """A writer that sends each byte in a segment of its own."""

    def __init__(self, writer: asyncio.StreamWriter, pause_s: float) -> None:
        self._writer = writer
        self._pause_s = pause_s
        self._bytes: asyncio.Queue[int] = asyncio.Queue()

    def write(self, data: bytes) -> None:
        for byte in data:
            self._bytes.put_nowait(byte)

    async def run(self) -> None:
        while True:
            self._writer.write(bytes([await self._bytes.get()]))
            await asyncio.sleep(self._pause_s)


async def slowly(session: Session, pause_s: float, behaviour: Behaviour) -> None:
    """The behaviour, with everything that it sends slowed down from now on."""
    writer = session.writer
    slow = OneByteAtATime(writer, pause_s)
    session.writer = slow  # type: ignore[assignment]
    task = asyncio.create_task(slow.run())
    try:
        await behaviour(session)
    finally:
        task.cancel()
        session.writer = writer


async def test_sends_one_byte_at_a_time(tmp_path: Path) -> None:
    async def dribbles(session: Session) -> None:
        await slowly(session, 0.001, behave)

    # How long a packet may take is test_sends_a_packet_too_slowly's: here no machine is too slow.
    patient = dict.fromkeys(("connect", "drain", "suback", "puback", "ping", "packet"), 60_000)
    async with (
        HostileBroker([dribbles]) as broker,
        LinkDevice(broker.port, tmp_path, timings=patient) as device,
    ):
        last = await device.append(12)
        await broker.wait_committed(last, 60)
        assert (await device.report())["stats"]["connects"] == 1


async def test_sends_a_packet_too_slowly(tmp_path: Path) -> None:
    async def a_command(session: Session) -> None:
        session.down("cmd", b"{}")
        await session.until_gone()

    async def too_slowly(session: Session) -> None:
        await before_the_first_puback(session)
        session.hurt()
        await slowly(session, 0.1, a_command)

    because = "a packet was not complete after 600 ms"
    await survives([too_slowly], tmp_path, because, timings={"puback": 30000})


async def test_sends_many_packets_in_one_segment(tmp_path: Path) -> None:
    async def at_once(session: Session) -> None:
        command = b'{"id":"%d","do":"identify","args":{}}'
        await session.read_connect()
        body = await session_subscribe_unanswered(session)
        commands = b"".join(publish(DOWN + "cmd", command % n, n) for n in range(1, 13))
        session.send(packet(0x90, body[:2] + b"\x01\x01\x01\x01") + commands)
        await session.serve()

    async def session_subscribe_unanswered(session: Session) -> bytes:
        session.send(CONNACK)
        return await session.read_until(0x80)

    async with HostileBroker([at_once]) as broker, LinkDevice(broker.port, tmp_path) as device:
        last = await device.append(2)
        await broker.wait(lambda: broker.committed == last and len(broker.replies) == 12)
        assert [reply["id"] for reply in broker.replies] == [str(n) for n in range(1, 13)]
        assert (await device.report())["stats"]["connects"] == 1


async def test_says_the_session_was_present(tmp_path: Path) -> None:
    async def present(session: Session) -> None:
        await session.read_connect()
        session.send(b"\x20\x02\x01\x00")
        await session.serve()

    async with HostileBroker([present]) as broker, LinkDevice(broker.port, tmp_path) as device:
        last = await device.append(2)
        await broker.wait_committed(last)
        assert (await device.report())["stats"]["connects"] == 1


async def test_acknowledges_what_was_never_sent(tmp_path: Path) -> None:
    async def confused(session: Session) -> None:
        await session.accept()
        session.send(b"\x40\x02\x7f\xff\x40\x02\x00\x00")
        await session.serve()

    async with HostileBroker([confused]) as broker, LinkDevice(broker.port, tmp_path) as device:
        last = await device.append(2)
        await broker.wait_committed(last)
        stats = (await device.report())["stats"]
        assert stats["stray_pubacks"] == 2
        assert stats["connects"] == 1


async def test_a_message_counts_as_taken_after_its_handler(tmp_path: Path) -> None:
    async def commands(session: Session) -> None:
        await session.accept()
        session.answer(0x82, await session.read_until(0x80))
        session.down("cmd", b'{"id":"a","do":"identify","args":{}}')
        session.down("cmd", b'{"id":"b","do":"identify","args":{}}', qos=0)
        await session.serve()

    async with HostileBroker([commands]) as broker, LinkDevice(broker.port, tmp_path) as device:
        await broker.wait(lambda: len(broker.replies) == 2)
        pubacks = [body for head, body in broker.sessions[0].packets if head == 0x40]
        assert b"\x00\x01" in pubacks
        assert b"\x00\x02" not in pubacks, "a QoS 0 message was acknowledged"
        assert (await device.report())["done"] == {"identify": 2}
