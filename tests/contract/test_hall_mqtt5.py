"""The hall side over MQTT 5: response topics, correlation data, expiry, and the broker's bounds."""

from __future__ import annotations

import asyncio
import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from hall_gateway.config_links import MqttConfig, UpstreamConfig
from hall_gateway.hall_link import STATE_EXPIRY_S, HallLink
from hall_gateway.mqtt import MqttClient
from hall_gateway.mqtt5 import Extras
from hall_gateway.mqtt_message import Message
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from support.core_hall import open_hall, read
from support.gateway import Gateway
from support.hostile_broker import packet
from support.mosquitto import Mosquitto
from support.plain_device import PlainDevice

ROOT = "hall/v1/demo"
ALLOWED = "office/replies/"


class Office:
    """A hall system that speaks MQTT 5."""

    def __init__(self, port: int) -> None:
        self.came: queue.Queue[paho.MQTTMessage] = queue.Queue()
        subscribed: queue.Queue[None] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "office", protocol=paho.MQTTv5)
        self._client.on_message = lambda _c, _u, message: self.came.put(message)
        self._client.on_subscribe = lambda *_: subscribed.put(None)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        subscribed.get(timeout=10)

    def order(self, name: str, body: dict[str, Any], **extras: Any) -> None:
        properties: Any = Properties(PacketTypes.PUBLISH)
        for key, value in extras.items():
            setattr(properties, key, value)
        sent = self._client.publish(
            f"{ROOT}/command/{name}", json.dumps(body), qos=1, properties=properties
        )
        sent.wait_for_publish(10)

    def on(self, prefix: str) -> paho.MQTTMessage:
        """The next message whose topic begins so."""
        while True:
            message = self.came.get(timeout=15)
            if message.topic.startswith(prefix):
                return message

    def end(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def office(port: int) -> Iterator[Office]:
    it = Office(port)
    try:
        yield it
    finally:
        it.end()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


def gateway_5(folder: Path, port: int) -> Gateway:
    gateway = Gateway(folder, port)
    upstream = f'[upstream]\nprotocol = "5"\nresponse_topics = ["{ALLOWED}"]\n'
    gateway.config.write_text(gateway.config.read_text().replace("[upstream]\n", upstream))
    return gateway


def test_replies_go_where_a_command_may_have_them(broker: Mosquitto, tmp_path: Path) -> None:
    gateway = gateway_5(tmp_path / "gateway", broker.port)
    with gateway, office(broker.port) as it, PlainDevice(broker.port, "kp-1") as keypad:
        assert it.on(f"{ROOT}/online").payload == b"1"
        keypad.online()
        ours = {"ResponseTopic": f"{ALLOWED}a", "CorrelationData": b"\x00\xff"}
        it.order("call", {"id": "c-1", "window": "1", "ticket": "A001"}, **ours)
        reply = it.on(ALLOWED)
        assert reply.topic == f"{ALLOWED}a"
        assert reply.properties.CorrelationData == b"\x00\xff"
        assert json.loads(reply.payload)["ok"] is True
        # One that may not be used: the reply is where it always is, and nothing is there.
        for number, topic in enumerate(
            ("office/replies", f"{ROOT}/online", "device/v1/x/down/cmd")
        ):
            id = f"d-{number}"
            it.order("recall", {"id": id, "window": "1"}, ResponseTopic=topic)
            while (message := it.came.get(timeout=15)).topic != f"{ROOT}/reply/{id}":
                assert message.topic != topic
        # A late reply, after the gateway was killed: the device answers then.
        it.order("device", {"id": "c-2", "device": "kp-1", "do": "identify"}, **ours)
        order = keypad.client.on_topic(f"{keypad.root}/down/cmd", count=1)[-1]
        assert json.loads(order.payload)["id"] == "c-2"
        gateway.kill()
        gateway.start()
        answer = json.dumps({"id": "c-2", "ok": True, "result": {}})
        keypad.client.publish(f"{keypad.root}/up/reply", answer)
        reply = it.on(f"{ALLOWED}a")
        assert (json.loads(reply.payload)["id"], reply.properties.CorrelationData) == (
            "c-2",
            b"\x00\xff",
        )
        # States are forgotten by the broker when nobody says them again.
        assert gateway.stop() == 0
    with office(broker.port) as later:
        message = later.on(f"{ROOT}/state/kp-1")
        assert 0 < message.properties.MessageExpiryInterval <= STATE_EXPIRY_S


async def test_a_command_that_has_expired_is_not_carried_out(tmp_path: Path) -> None:
    """The broker drops it while the gateway is away; here it waited in the gateway."""
    sent: list[tuple[str, bytes]] = []

    class Broker(MqttClient):
        def send(self, topic: str, payload: bytes, correlation: bytes | None = None) -> None:
            sent.append((topic, payload))

    async with open_hall(tmp_path) as hall:
        mqtt = Broker("hall broker", UpstreamConfig(protocol="5"), "c", ())
        link: Any = HallLink("demo", mqtt, hall.core, dict)

        async def arrive(id: str, extras: Extras) -> dict[str, Any]:
            acked: list[None] = []
            body = {"id": id, "window": "1", "ticket": "A001"}
            message = Message(
                f"{ROOT}/command/call",
                json.dumps(body).encode(),
                False,
                lambda: acked.append(None),
                lambda: None,
                extras,
            )
            await link._command([message])
            assert acked == [None]
            topic, payload = sent.pop()
            assert topic == f"{ROOT}/reply/{id}"
            return json.loads(payload)

        expired = Extras(expires=0.0)
        told = await arrive("c-1", expired)
        assert told == {
            "id": "c-1",
            "ok": False,
            "error": "it has expired on its way; nothing was done",
        }
        assert hall.desired("disp-1")["view"] == "idle"
        done = await arrive("c-2", Extras(expires=float("inf")))
        assert done["ok"] is True
        # Delivered once more, late: it gets the reply of then.
        assert await arrive("c-2", expired) == done
        reply = await hall.core.command("call", b'{"id":"c-1","window":"2","ticket":"B"}')
        assert reply is not None
        assert read(reply)["ok"] is True  # nothing was remembered of it


async def test_no_more_is_under_way_than_the_broker_allows() -> None:
    """MQTT 5, 4.9: a broker ends a connection that sends more than its receive maximum."""
    waiting: list[bytes] = []
    most = 0
    came = 0
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most, came
        await reader.read(1024)  # CONNECT
        writer.write(packet(0x20, b"\x00\x00\x03\x21\x00\x03"))  # receive maximum 3
        while came < 20:
            head = await reader.readexactly(2)
            body = await reader.readexactly(head[1])
            waiting.append(body[3:5])
            most = max(most, len(waiting))
            came += 1
            if len(waiting) == 3 or came == 20:
                await asyncio.sleep(0.01)
                for pid in waiting:
                    writer.write(packet(0x40, pid))
                waiting.clear()
        await done.wait()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    config = UpstreamConfig(port=listener.sockets[0].getsockname()[1], protocol="5")
    async with listener, MqttClient("b", config, "c", ()) as gateway:
        await gateway.wait_connected()
        async with asyncio.timeout(60):
            await asyncio.gather(*(gateway.publish("a", b"%d" % n) for n in range(20)))
        done.set()
    assert (most, came) == (3, 20)


async def test_a_message_that_the_broker_refuses_is_not_confirmed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(packet(0x20, b"\x00\x00\x00"))
        publish = await reader.read(1024)
        writer.write(packet(0x40, publish[5:7] + b"\x87\x00"))  # not authorized
        await reader.read(1024)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    config = UpstreamConfig(port=listener.sockets[0].getsockname()[1], protocol="5")
    async with listener, MqttClient("b", config, "c", ()) as gateway:
        await gateway.wait_connected()
        with pytest.raises(Exception, match="the broker refuses a message: Not authorized"):
            await gateway.publish("a", b"1")


def test_what_nobody_hears_is_counted(broker: Mosquitto) -> None:
    async def publish(version: str) -> int:
        config: MqttConfig = UpstreamConfig.model_validate(
            {"port": broker.port, "protocol": version}
        )
        async with MqttClient("b", config, "c", ()) as gateway:
            await gateway.wait_connected()
            await gateway.publish("nobody/hears", b"1")
            return gateway.counters.unheard

    assert asyncio.run(publish("5")) == 1
    assert asyncio.run(publish("3.1.1")) == 0


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"response_topics": ["a/"]}, 'MQTT 3.1.1 has no response topics; set protocol = "5"'),
        ({"protocol": "5", "response_topics": ["a"]}, '"a" is no beginning of topics'),
        ({"protocol": "5", "response_topics": ["a/#/"]}, "is no beginning of topics"),
        ({"protocol": "5", "response_topics": ["/"]}, "is no beginning of topics"),
        ({"protocol": "5", "response_topics": ["$SYS/"]}, "is no beginning of topics"),
        ({"protocol": "4"}, "Input should be '3.1.1' or '5'"),
    ],
)
def test_settings_that_are_wrong(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        UpstreamConfig.model_validate(fields)
    assert told in str(caught.value)
