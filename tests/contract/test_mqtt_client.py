"""The gateway's MQTT client against a real mosquitto: PUBACKs, reconnects, refusals, bounds."""

import asyncio
import gc
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from hall_gateway import mqtt_connection
from hall_gateway.config_links import MqttConfig
from hall_gateway.mqtt import MqttClient, retry_delay
from hall_gateway.mqtt_connection import Connection
from hall_gateway.mqtt_message import Counters, DisconnectedError, Message
from hall_gateway.mqtt_socket import BufferedSocket
from hall_gateway.mqtt_wire import Wire
from hall_tools.ports import free_port
from support.certificate import self_signed
from support.mosquitto import Mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


def client(broker: Mosquitto, name: str = "gateway", *filters: str) -> MqttClient:
    config = MqttConfig(host="127.0.0.1", port=broker.port)
    return MqttClient("test broker", config, name, filters, (f"{name}/online", b"0"))


async def take(messages: AsyncIterator[Message], count: int = 1) -> list[Message]:
    async with asyncio.timeout(60):
        return [await anext(messages) for _ in range(count)]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - other tasks change it, no event of theirs is at hand
            await asyncio.sleep(0.01)


async def test_what_is_not_acked_is_delivered_again(broker: Mosquitto) -> None:
    async with client(broker, "sender") as sender:
        await sender.wait_connected()
        async with client(broker, "gateway", "a/#") as gateway:
            await gateway.wait_connected()
            for body in (b"1", b"2", b"3"):
                await sender.publish("a/b", body)
            first, second, third = await take(gateway.messages(), 3)
            assert [first.payload, second.payload, third.payload] == [b"1", b"2", b"3"]
            first.ack()
            third.ack()
        async with client(broker, "gateway", "a/#") as gateway:
            again = (await take(gateway.messages()))[0]
            assert again.payload == b"2"
            second.ack()  # its connection is gone: this must not reach the new one
            again.ack()
        async with client(broker, "gateway", "a/#") as gateway:
            await gateway.wait_connected()
            await sender.publish("a/b", b"4")
            assert (await take(gateway.messages()))[0].payload == b"4"


async def test_messages_wait_for_a_client_that_is_away(broker: Mosquitto) -> None:
    async with client(broker, "gateway", "a/#") as gateway:
        await gateway.wait_connected()
    async with client(broker, "sender") as sender:
        await sender.wait_connected()
        await sender.publish("a/b", b"while away")
    async with client(broker, "gateway", "a/#") as gateway:
        assert (await take(gateway.messages()))[0].payload == b"while away"


async def test_comes_back_after_a_broker_restart_and_subscribes_again(broker: Mosquitto) -> None:
    async with client(broker, "gateway", "a/#") as gateway, client(broker, "sender") as sender:
        await gateway.wait_connected()
        await sender.wait_connected()
        broker.kill()
        await until(lambda: not gateway.connected and not sender.connected)
        with pytest.raises(DisconnectedError):
            await sender.publish("a/b", b"nowhere")
        broker.start()
        await gateway.wait_connected()
        await sender.wait_connected()
        await sender.publish("a/b", b"again")
        assert (await take(gateway.messages()))[0].payload == b"again"
        assert gateway.counters.connects == 2


async def test_a_publish_without_a_puback_fails_when_the_connection_ends(
    broker: Mosquitto,
) -> None:
    listener = await asyncio.start_server(_accept_and_never_puback, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, MqttClient("mute", MqttConfig(port=port), "c", ()) as sender:
        await sender.wait_connected()
        publishing = asyncio.create_task(sender.publish("a/b", b"x"))
        with pytest.raises(DisconnectedError):
            await publishing


async def _accept_and_never_puback(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await reader.read(1024)  # CONNECT
    writer.write(b"\x20\x02\x00\x00")  # CONNACK, accepted
    await reader.read(1024)  # PUBLISH
    writer.close()
    await writer.wait_closed()


async def test_work_is_run_anew_on_every_connection(broker: Mosquitto) -> None:
    runs: list[str] = []

    async def work() -> None:
        runs.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            runs.append("ended")

    async with client(broker) as gateway:
        working = asyncio.create_task(gateway.while_connected(work))
        await until(lambda: runs == ["begun"])
        broker.kill()
        await until(lambda: runs == ["begun", "ended"])
        broker.start()
        await until(lambda: runs == ["begun", "ended", "begun"])
        working.cancel()
        await asyncio.wait((working,))
        assert runs[-1] == "ended"


async def test_a_defect_in_work_is_raised(broker: Mosquitto) -> None:
    async def work() -> None:
        raise ZeroDivisionError

    async with client(broker) as gateway:
        with pytest.raises(ZeroDivisionError):
            await gateway.while_connected(work)


async def test_every_end_publishes_the_will_for_a_crash_must_not_look_orderly(
    broker: Mosquitto,
) -> None:
    async with client(broker, "watch", "gateway/online") as watch:
        await watch.wait_connected()
        async with client(broker, "gateway") as gateway:
            await gateway.wait_connected()
            await gateway.publish("gateway/online", b"1")
        assert [m.payload for m in await take(watch.messages(), 2)] == [b"1", b"0"]


async def test_an_answer_can_be_sent_before_the_subscription_is_confirmed() -> None:
    """A broker delivers what waited for a session right after CONNACK."""
    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)  # CONNECT
        writer.write(b"\x20\x02\x01\x00" + b"\x32\x06\x00\x01a\x00\x01x")
        await reader.readuntil(b"\x00\x01a\x01")  # SUBSCRIBE, never answered
        answered.set_result(await reader.readuntil(b"answer"))
        writer.close()

    listener = await asyncio.start_server(broker, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, MqttClient("b", MqttConfig(port=port), "c", ["a"]) as gateway:
        await take(gateway.messages())
        assert not gateway.connected
        gateway.send("b", b"answer")
        assert (await answered).startswith(b"\x32\x0b\x00\x01b")


async def test_an_abandoned_message_comes_again(broker: Mosquitto) -> None:
    async with client(broker, "gateway", "a/#") as gateway, client(broker, "sender") as sender:
        await gateway.wait_connected()
        await sender.wait_connected()
        await sender.publish("a/b", b"1")
        messages = gateway.messages()
        first = (await take(messages))[0]
        first.abandon()
        again = (await take(messages))[0]
        assert again.payload == b"1"
        first.abandon()  # its connection is gone: the new one is left alone
        again.ack()
        await sender.publish("a/b", b"2")
        assert (await take(messages))[0].payload == b"2"
        await gateway.wait_connected()  # a message may come before the subscription is confirmed
        assert gateway.counters.connects == 2


@pytest.mark.parametrize("noticed_by", ["us", "paho"])
async def test_what_is_asked_of_a_connection_that_has_just_ended(
    broker: Mosquitto, noticed_by: str
) -> None:
    """Between its end and the next turn of whoever waits for that."""
    async with client(broker, "gateway") as gateway:
        await gateway.wait_connected()
        connection = gateway._ready.now  # pyright: ignore[reportPrivateUsage]
        assert connection is not None
        if noticed_by == "us":
            connection.give_up("cut")
        else:
            connection._client._sock_close()  # pyright: ignore
        with pytest.raises(DisconnectedError, match="cut" if noticed_by == "us" else "closed"):
            await connection.subscribe(["a"])
        with pytest.raises(DisconnectedError):
            await connection.unsubscribe(["a"])


def test_nothing_of_a_connection_outlives_its_loop(broker: Mosquitto) -> None:
    """paho closes its socket once more when it is collected, then on whichever thread."""

    async def connect() -> None:
        async with client(broker) as gateway:
            await gateway.wait_connected()

    asyncio.run(connect())
    collecting = threading.Thread(target=gc.collect)
    collecting.start()
    collecting.join()  # what is raised there fails the test: see filterwarnings


async def test_a_connection_whose_socket_is_full_can_be_closed() -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)  # CONNECT
        writer.write(b"\x20\x02\x00\x00")
        await released.wait()
        writer.close()

    released = asyncio.Event()
    listener = await asyncio.start_server(stall, "127.0.0.1", 0, limit=1024)
    port = listener.sockets[0].getsockname()[1]
    async with listener:
        connection = Connection(asyncio.Queue(), Counters())
        await connection.open(MqttConfig(port=port), "c", None)
        sent = [connection.send("t", b"x" * 60_000) for _ in range(200)]
        connection.close()
        with pytest.raises(DisconnectedError):
            await sent[-1]
        released.set()


async def test_memory_is_bounded_when_nobody_takes_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_connection, "INBOUND_LIMIT", 20)
    settings = ["max_queued_messages 0", "max_inflight_messages 0"]
    with Mosquitto(tmp_path / "broker", settings=settings) as broker:
        async with client(broker, "gateway", "a/#") as gateway, client(broker, "s") as sender:
            await gateway.wait_connected()
            await sender.wait_connected()
            await asyncio.gather(*(sender.publish("a/b", b"%d" % i) for i in range(1000)))
            await until(lambda: gateway.waiting >= 20)
            assert gateway.waiting < 30
            received = await take(gateway.messages(), 1000)
            assert [int(m.payload) for m in received] == list(range(1000))


async def test_a_refused_subscription_is_said(tmp_path: Path) -> None:
    psk = {"kp-1": "0123456789abcdef"}
    with Mosquitto(tmp_path / "broker", psk=psk) as broker:
        config = MqttConfig(host="127.0.0.1", port=broker.psk_port)
        async with MqttClient("test broker", config, "kp-2", ["a/#"]) as gateway:
            await until(lambda: gateway.counters.failures > 0)
            assert not gateway.connected
            assert gateway.counters.last_error


async def test_a_broker_that_is_not_there_is_said_and_tried_again() -> None:
    port = free_port()
    async with MqttClient("b", MqttConfig(port=port), "c", ()) as gateway:
        await until(lambda: gateway.counters.failures > 1)
        assert f"127.0.0.1:{port}" in gateway.counters.last_error


@pytest.mark.parametrize("answer", [b"", b"\x20\x02\x00\x05", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_broker_that_refuses_or_talks_nonsense(answer: bytes) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    listener = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, MqttClient("b", MqttConfig(port=port), "c", ()) as gateway:
        await until(lambda: gateway.counters.failures > 0)
        assert not gateway.connected
        assert gateway.counters.last_error


@pytest.mark.parametrize(
    ("host", "trusted", "error"),
    [
        ("localhost", True, None),
        ("localhost", False, "certificate verify failed"),
        ("127.0.0.1", True, "IP address mismatch"),
    ],
)
async def test_a_tls_broker_is_verified(
    tmp_path: Path, host: str, trusted: bool, error: str | None
) -> None:
    certificate, key = self_signed(tmp_path, "localhost")
    port = free_port()
    listener = [f"listener {port} 127.0.0.1", "allow_anonymous true"]
    files = [f"certfile {certificate}", f"keyfile {key}"]
    with Mosquitto(tmp_path / "broker", settings=listener + files):
        config = MqttConfig(
            host=host, port=port, tls=True, ca_file=certificate if trusted else None
        )
        async with MqttClient("b", config, "c", ["a/#"]) as gateway:
            if error is None:
                await gateway.wait_connected()
                await asyncio.gather(*(gateway.publish("a/b", b"%d" % i) for i in range(20)))
                received = await take(gateway.messages(), 20)
                assert [int(m.payload) for m in received] == list(range(20))
            else:
                await until(lambda: gateway.counters.failures > 0)
                assert error in gateway.counters.last_error


async def test_packets_that_share_a_tls_record_all_arrive(tmp_path: Path) -> None:
    """Only the first makes the socket readable; the others wait inside the TLS layer."""
    certificate, key = self_signed(tmp_path, "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)  # CONNECT
        writer.write(b"\x20\x02\x00\x00")
        subscribe = await reader.read(1024)
        suback = b"\x90\x03" + subscribe[2:4] + b"\x01"
        publishes = [b"\x30\x04\x00\x01a" + b"%d" % number for number in range(9)]
        writer.write(suback + b"".join(publishes))
        await reader.read(1024)  # until the client ends
        writer.close()

    listener = await asyncio.start_server(broker, "localhost", 0, ssl=context)
    port = listener.sockets[0].getsockname()[1]
    config = MqttConfig(host="localhost", port=port, tls=True, ca_file=certificate)
    async with listener, MqttClient("b", config, "c", ["a"]) as gateway:
        received = await take(gateway.messages(), 9)
        assert [message.payload for message in received] == [b"%d" % n for n in range(9)]


async def test_the_connection_sends_without_delay(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    watch = Wire.watch

    def look(self: Wire, sock: BufferedSocket) -> None:
        watch(self, sock)
        seen.append(sock.raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(Wire, "watch", look)
    async with client(broker) as gateway:
        await gateway.wait_connected()
    assert seen == [1]


def test_retry_delays_are_drawn_below_a_doubling_cap() -> None:
    caps = [retry_delay(attempt, lambda low, high: high) for attempt in range(8)]
    assert caps == [1, 2, 4, 8, 16, 30, 30, 30]
    assert retry_delay(5, lambda low, high: low) == 0.0
