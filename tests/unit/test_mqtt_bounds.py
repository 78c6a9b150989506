"""What a broker may do to a connection: packets without bound, answers that come late or never."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hall_gateway import mqtt_connection, mqtt_packets
from hall_gateway.config_links import MqttConfig
from hall_gateway.mqtt import MqttClient
from hall_gateway.mqtt_message import DisconnectedError, Message
from hall_gateway.mqtt_socket import MAX_PACKET

PUBACK = b"\x40\x02"


class Broker:
    """A connection, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def packet(self) -> bytes:
        head = await self._reader.readexactly(2)  # no packet of these tests is longer than 127
        return head + await self._reader.readexactly(head[1])

    async def connected(self) -> None:
        await self.packet()
        self.send(b"\x20\x02\x00\x00")

    async def subscribed(self) -> None:
        self.answer(await self.packet())

    def answer(self, request: bytes) -> None:
        kind = 0xB0 if request[0] == 0xA2 else 0x90
        body = request[2:4] + (b"" if kind == 0xB0 else b"\x01")
        self.send(bytes((kind, len(body))) + body)

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def publish(self, payload: bytes, mid: int) -> None:
        self.send(mqtt_packets.publish("a", payload, retain=False, mid=mid))


@asynccontextmanager
async def client(
    play: Callable[[Broker], Coroutine[Any, Any, object]], *filters: str
) -> AsyncGenerator[MqttClient]:
    """A client at a broker that does `play` for each connection, and leaves it open."""
    ended = asyncio.Event()
    failed: list[BaseException] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await play(Broker(reader, writer))
            await ended.wait()
        except (OSError, asyncio.IncompleteReadError):
            pass
        except Exception as error:
            failed.append(error)
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, MqttClient("b", MqttConfig(port=port), "c", filters) as made:
        async with asyncio.timeout(60):
            yield made
        ended.set()
    assert not failed


async def take(mqtt: MqttClient, count: int) -> list[Message]:
    messages = mqtt.messages()
    return [await anext(messages) for _ in range(count)]


async def test_a_message_without_bound_is_cut_acked_and_counted_and_the_next_is_whole() -> None:
    acked: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()

    async def play(broker: Broker) -> None:
        await broker.connected()
        broker.publish(b"x" * 3_000_000, 7)
        broker.publish(b"next", 8)
        acked.set_result([await broker.packet(), await broker.packet()])

    async with client(play) as mqtt:
        first, second = await take(mqtt, 2)
        assert MAX_PACKET - 20 < len(first.payload) < MAX_PACKET
        assert second.payload == b"next"
        first.ack()
        second.ack()
        assert await acked == [PUBACK + b"\x00\x07", PUBACK + b"\x00\x08"]
        assert mqtt.counters.oversized == 1


async def test_a_packet_without_bound_that_is_no_message_ends_the_connection() -> None:
    async def play(broker: Broker) -> None:
        await broker.connected()
        broker.send(b"\x90\x80\x80\x80\x01" + bytes(2_000_000))

    async with client(play) as mqtt:
        await _until(lambda: f"over {MAX_PACKET} bytes" in mqtt.counters.last_loss)


async def test_a_message_is_acked_once_also_when_its_identifier_is_used_again() -> None:
    acked: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()

    async def play(broker: Broker) -> None:
        await broker.connected()
        broker.publish(b"1", 7)
        first = await broker.packet()
        broker.publish(b"2", 7)
        broker.publish(b"3", 8)
        acked.set_result([first, await broker.packet()])

    async with client(play) as mqtt:
        first = (await take(mqtt, 1))[0]
        first.ack()
        await take(mqtt, 1)
        third = (await take(mqtt, 1))[0]
        first.ack()  # handled again after the store refused another
        third.ack()
        assert await acked == [PUBACK + b"\x00\x07", PUBACK + b"\x00\x08"]


async def test_an_answer_may_stand_behind_all_that_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_connection, "CONNECT_TIMEOUT_S", 1.0)

    async def play(broker: Broker) -> None:
        await broker.connected()
        request = await broker.packet()
        for number in range(1, 21):
            broker.publish(b"", number)
            await asyncio.sleep(0.1)
        broker.answer(request)

    async with client(play, "a") as mqtt:
        await mqtt.wait_connected()
        assert mqtt.counters.failures == 0


async def test_who_is_not_heard_any_more_is_listened_to_at_the_next_connect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mqtt_connection, "CONNECT_TIMEOUT_S", 0.5)
    asked: list[bytes] = []

    async def play(broker: Broker) -> None:
        await broker.connected()
        for _ in range(1 if not asked else 2):
            request = await broker.packet()
            asked.append(request)
            broker.answer(request)

    async with client(play, "a") as mqtt:
        await mqtt.wait_connected()
        with pytest.raises(DisconnectedError, match=r"no (UN)?SUBACK"):
            await mqtt.listen_to(["b"], ["a"])
        await _until(lambda: mqtt.counters.connects == 2)
        assert [packet[0] for packet in asked] == [0x82, 0x82, 0xA2]
        assert asked[1][4:] == b"\x00\x01b\x01"


async def test_no_puback_is_missing_while_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_connection, "PUBACK_TIMEOUT_S", 1.0)
    monkeypatch.setattr(mqtt_connection, "INBOUND_LIMIT", 5)

    async def play(broker: Broker) -> None:
        await broker.connected()
        for number in range(1, 11):
            broker.publish(b"", number)
        sent = await broker.packet()
        broker.send(PUBACK + sent[-3:-1])

    async with client(play) as mqtt:
        await mqtt.wait_connected()
        await _until(lambda: mqtt.waiting == 5)
        publishing = mqtt.send("b", b"x")
        await asyncio.sleep(3.5)  # three looks for what is missing
        assert not publishing.done()
        await take(mqtt, 10)
        await publishing
        assert mqtt.counters.connects == 1


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - the client changes it, no event of it is at hand
        await asyncio.sleep(0.01)
