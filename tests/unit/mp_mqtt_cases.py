"""The MQTT client on its own: each case is a coroutine that is given a port; what the broker there
does stands in test_mqtt_client.py. argv: the case, the port. An assertion that fails ends it."""

import asyncio
import sys

from hall import mqtt, packets

TOPIC = b"device/v1/kp-1/up/event"


class Client:
    def __init__(self, port, on_message=lambda topic, payload, retained: None, **timings):
        self.counts = mqtt.new_counts()
        self.wake = asyncio.Event()
        self.buffers = packets.Buffers()
        self.connection = mqtt.Connection(
            ("127.0.0.1", port),
            b"kp-1",
            (b"device/v1/kp-1/up/online", b"0"),
            on_message,
            self.wake,
            self.buffers,
            self.counts,
            None,
            mqtt.Timings(**timings),
        )


async def failure(client):
    """What ended the connection."""
    await asyncio.wait_for(client.wake.wait(), 5)
    try:
        client.connection.check()
    except mqtt.MqttError as error:
        return str(error)
    raise AssertionError("it did not fail")


async def refused(work):
    """The text of the MqttError that the awaitable ends with."""
    try:
        await work
    except mqtt.MqttError as error:
        return str(error)
    raise AssertionError("it worked")


async def case_a_packet_id_in_use_is_not_given_again(port):
    client = Client(port)
    async with client.connection as connection:
        connection._last_pid = 65534
        await connection.publish(TOPIC, b"65535, never acknowledged")
        await connection.publish(TOPIC, b"1, never acknowledged")
        connection._last_pid = 65534  # once around
        await connection.publish(TOPIC, b"2")
        while connection.unacked > 2:
            await asyncio.sleep_ms(5)


async def case_a_publish_waits_for_room(port):
    client = Client(port)
    async with client.connection as connection:
        for n in range(17):
            await connection.publish(TOPIC, b"%d" % n)
        while connection.unacked:
            await asyncio.sleep_ms(5)


async def case_waiting_for_room_ends_with_the_connection(port):
    client = Client(port, puback=300, check=50)
    async with client.connection as connection:
        for n in range(16):
            await connection.publish(TOPIC, b"%d" % n)
        assert await refused(connection.publish(TOPIC, b"one too many")) == "no PUBACK in 300 ms"


async def case_a_broker_that_takes_nothing(port):
    counts = mqtt.new_counts()
    stream = packets.PacketStream(("127.0.0.1", port), None, packets.Buffers(), counts)
    stream.connect()
    payload = b"x" * 1000

    async def send_30_mb():
        for _ in range(30000):
            at = stream.begin(0x32, 2 + len(TOPIC) + 2 + len(payload))
            at = stream.put_bytes(stream.put_int(stream.put(at, TOPIC), 1), payload)
            await stream.flush(at, 200)

    assert await refused(send_30_mb()) == "the broker took no packet in 200 ms"
    stream.close()
    assert counts["opened"] == counts["closed"] == 1


async def case_a_silent_connection_is_kept_alive(port):
    client = Client(port, keepalive=300, check=20, ping=200)
    async with client.connection as connection:
        await asyncio.sleep_ms(1000)
        connection.check()


async def case_a_handler_that_fails(port):
    def handler(topic, payload, retained):
        raise KeyError("no such thing")

    client = Client(port, handler)
    async with client.connection:
        assert await failure(client) == "handling a packet failed: KeyError: no such thing"
    assert client.counts["closed"] == 1


async def case_the_handler_gets_what_was_sent(port):
    got = []
    enough = asyncio.Event()

    def handler(topic, payload, retained):
        got.append((topic, bytes(payload), retained))
        if len(got) == 3:
            enough.set()

    client = Client(port, handler)
    async with client.connection:
        await asyncio.wait_for(enough.wait(), 5)
    assert got == [
        ("a/号", b"", False),
        ("b", b"x" * 2000, True),
        ("c", b"\x00\xff", False),
    ], got


async def case_a_message_too_long_to_send(port):
    client = Client(port)
    async with client.connection as connection:
        try:
            await connection.publish(TOPIC, b"x" * packets.TX_MAX)
        except ValueError:
            pass
        else:
            raise AssertionError("it was sent")
        await connection.publish(TOPIC, b"x" * 1024)
        while connection.unacked:
            await asyncio.sleep_ms(5)
        connection.check()


async def case_cancelled_while_connecting(port):
    client = Client(port)

    async def connect():
        async with client.connection:
            raise AssertionError("it connected")

    task = asyncio.create_task(connect())
    await asyncio.sleep_ms(50)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    assert client.counts["opened"] == client.counts["closed"] == 1


async def case_cancelled_while_connected(port):
    client = Client(port)
    connected = asyncio.Event()

    async def serve():
        async with client.connection:
            connected.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(serve())
    await asyncio.wait_for(connected.wait(), 5)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    client.connection.close()  # a second time, for nothing
    assert client.counts["opened"] == client.counts["closed"] == 1


async def case_a_timing_that_does_not_exist(port):
    try:
        mqtt.Timings(conect=5)
    except ValueError as error:
        told = str(error)
    assert told == "no timing is called conect"


asyncio.run(globals()["case_" + sys.argv[1]](int(sys.argv[2])))
