"""A link that fails as it is told, between a client and a broker that are plain sockets here."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from hall_tools.chaos.packets import NotMqttError, Splitter, puback, publish
from hall_tools.chaos.proxy import Link

WAIT_S = 60.0


def published(topic: str, pid: int, body: str = "x") -> bytes:
    name = topic.encode()
    rest = len(name).to_bytes(2, "big") + name + pid.to_bytes(2, "big") + body.encode()
    return b"\x32" + length(len(rest)) + rest


def length(value: int) -> bytes:
    digits = bytearray()
    while True:
        value, low = divmod(value, 128)
        digits.append(low | (0x80 if value else 0))
        if not value:
            return bytes(digits)


def confirmed(pid: int) -> bytes:
    return b"\x40\x02" + pid.to_bytes(2, "big")


def again(packet: bytes) -> bytes:
    return bytes([packet[0] | 8]) + packet[1:]


@dataclass
class Listening:
    port: int


class Ends:
    """Both ends of one connection through `link`: `near` connected, `far` was connected to."""

    def __init__(self) -> None:
        self.link: Link
        self.near: tuple[asyncio.StreamReader, asyncio.StreamWriter]
        self.far: tuple[asyncio.StreamReader, asyncio.StreamWriter]

    def up(self, *packets: bytes) -> None:
        self.near[1].write(b"".join(packets))

    def down(self, *packets: bytes) -> None:
        self.far[1].write(b"".join(packets))

    async def at_far(self, wanted: bytes) -> None:
        assert await read(self.far[0], len(wanted)) == wanted

    async def at_near(self, wanted: bytes) -> None:
        assert await read(self.near[0], len(wanted)) == wanted


async def read(reader: asyncio.StreamReader, count: int) -> bytes:
    async with asyncio.timeout(WAIT_S):
        return await reader.readexactly(count)


@asynccontextmanager
async def linked() -> AsyncGenerator[Ends]:
    ends = Ends()
    came: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await came.put((reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    ends.link = link = Link("test", Listening(server.sockets[0].getsockname()[1]))
    await link.start()
    try:
        ends.near = await asyncio.open_connection("127.0.0.1", link.port)
        async with asyncio.timeout(WAIT_S):
            ends.far = await came.get()
        yield ends
    finally:
        for _, writer in (ends.near, ends.far):
            writer.close()
        await link.close()
        server.close()


def test_packets_are_found_however_the_bytes_come() -> None:
    rng = random.Random(1)
    packets = [published("a/b", n, "y" * rng.randrange(0, 400)) for n in range(1, 60)]
    packets += [confirmed(7), b"\xc0\x00", b"\x82\x05abcde"]
    stream, splitter, found = b"".join(packets), Splitter(), list[bytes]()
    while stream:
        count = rng.randrange(1, 90)
        found += splitter.feed(stream[:count])
        stream = stream[count:]
    assert found == packets
    message = publish(packets[4])
    assert message is not None
    assert (message.topic, message.pid, message.again()) == (b"a/b", 5, again(packets[4]))
    assert [puback(packet) for packet in packets[-3:]] == [7, None, None]
    assert publish(b"\x30\x04\x00\x01ab") is None  # QoS 0
    with pytest.raises(NotMqttError, match="four bytes"):
        Splitter().feed(b"\x30\xff\xff\xff\xff\x01")
    with pytest.raises(NotMqttError, match="268435455 bytes"):
        Splitter().feed(b"\x30\xff\xff\xff\x7f")


async def test_a_link_that_does_not_fail_carries_everything_both_ways() -> None:
    async with linked() as ends:
        ends.up(published("a", 1), b"\xc0\x00")
        await ends.at_far(published("a", 1) + b"\xc0\x00")
        ends.down(confirmed(1), published("b", 1, "z" * 70_000))
        await ends.at_near(confirmed(1) + published("b", 1, "z" * 70_000))
        ends.near[1].close()
        async with asyncio.timeout(WAIT_S):
            assert await ends.far[0].read() == b""


async def test_a_black_hole_swallows_until_it_is_closed() -> None:
    async with linked() as ends:
        ends.link.hold()
        ends.up(published("a", 1))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await ends.far[0].read(1)
        ends.link.resume()
        await ends.at_far(published("a", 1))
        # One that has forgotten its connections meanwhile carries nothing of them.
        ends.link.hold()
        ends.up(published("a", 2))
        ends.link.reset()
        ends.link.resume()
        for reader in (ends.far[0], ends.near[0]):
            with pytest.raises(ConnectionResetError):
                async with asyncio.timeout(WAIT_S):
                    await reader.read()


async def test_a_packet_is_cut_in_its_middle() -> None:
    async with linked() as ends:
        ends.link.wanted["cut_mid_packet", "up"] = 1
        packet = published("a", 1, "0123456789")
        ends.up(b"\xc0\x00", packet)
        async with asyncio.timeout(WAIT_S):
            assert await ends.far[0].read() == b"\xc0\x00" + packet[: len(packet) // 2]
        assert ends.link.done["cut_mid_packet"] == 1


async def test_the_last_messages_come_again_and_their_sender_does_not_hear_of_it() -> None:
    async with linked() as ends:
        packets = [published("a", n) for n in range(1, 11)]
        ends.up(*packets)
        await ends.at_far(b"".join(packets))
        ends.down(*(confirmed(n) for n in range(1, 11)))
        await ends.at_near(b"".join(confirmed(n) for n in range(1, 11)))
        ends.link.wanted["repeat", "up"] = 1
        eleventh = published("b", 11)
        ends.up(eleventh)
        last = [*packets[-7:], eleventh]
        await ends.at_far(eleventh + b"".join(again(packet) for packet in last))
        ends.down(confirmed(11), *(confirmed(n) for n in range(4, 12)), confirmed(12))
        await ends.at_near(confirmed(11) + confirmed(12))
        assert ends.link.done["repeat"] == 8


async def test_a_message_is_overtaken_by_another_topic_and_never_by_its_own() -> None:
    async with linked() as ends:
        one, other = published("a", 1), published("b", 2)
        ends.link.wanted["reorder", "up"] = 1
        ends.up(one, b"\xc0\x00", other)
        await ends.at_far(b"\xc0\x00" + other + one)
        ends.link.wanted["reorder", "up"] = 1
        second = published("a", 3)
        ends.up(one, second)
        await ends.at_far(one + second)
        ends.link.wanted["reorder", "up"] = 1
        ends.up(one)  # nobody comes to overtake it
        await ends.at_far(one)
        assert ends.link.done["reorder"] == 1


async def test_what_is_delayed_comes_late_and_in_order() -> None:
    async with linked() as ends:
        loop = asyncio.get_running_loop()
        ends.link.delay_s = 0.3
        begun = loop.time()
        ends.up(published("a", 1))
        await asyncio.sleep(0.05)
        ends.link.resume()  # what is on its way stays late, and nothing overtakes it
        ends.up(published("a", 2))
        await ends.at_far(published("a", 1) + published("a", 2))
        assert loop.time() - begun >= 0.29


async def test_a_slow_reader_takes_its_time() -> None:
    async with linked() as ends:
        loop = asyncio.get_running_loop()
        ends.link.slow["down"] = 1000
        begun = loop.time()
        packet = published("a", 1, "y" * 400)
        ends.down(packet)
        ends.down(packet)
        await ends.at_near(packet + packet)
        assert loop.time() - begun >= 0.5
