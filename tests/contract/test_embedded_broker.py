"""The embedded broker keeps what the demo relies on, seen by plain paho clients."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest
from hall_gateway.broker import BrokerStartError, embedded_broker
from hall_tools.ports import free_port
from support.paho_client import PlainClient


@pytest.fixture
def port() -> Iterator[int]:
    """A running embedded broker; its loop has a thread of its own, as paho's clients have."""
    port = free_port()
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with embedded_broker("127.0.0.1", port):
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(60)
    yield port
    loop.call_soon_threadsafe(stop.set)
    thread.join(15)
    loop.close()


def test_delivers_at_qos_1_with_wildcards(port: int) -> None:
    with (
        PlainClient(port, ["device/v1/+/up/#"], name="gateway") as gateway,
        PlainClient(port, ["device/v1/kp-1/down/#"], name="kp-1") as device,
    ):
        for number in range(200):
            device.publish("device/v1/kp-1/up/event", str(number))
        device.publish("device/v1/kp-1/other/event", "x")
        gateway.publish("device/v1/kp-1/down/ack", "a")
        events = gateway.on_topic("device/v1/kp-1/up/event", count=200)
        assert [int(event.payload) for event in events] == list(range(200))
        assert {event.qos for event in events} == {1}
        assert not any(event.retain for event in events)
        assert device.on_topic("device/v1/kp-1/down/ack")[0].qos == 1
        assert len(gateway.received) == 200


def test_retained_goes_to_late_subscribers_and_only_to_subscribers(port: int) -> None:
    with PlainClient(port, ["device/v1/+/up/#"], name="gateway") as gateway:
        gateway.publish("device/v1/disp-1/down/desired", "for disp-1", retain=True)
        gateway.publish("device/v1/kp-1/down/desired", "for kp-1", retain=True)
        with (
            PlainClient(port, ["device/v1/disp-1/down/#"], name="disp-1") as display,
            PlainClient(port, ["device/v1/kp-1/down/#"], name="kp-1") as keypad,
        ):
            assert display.on_topic("device/v1/disp-1/down/desired")[0].retain
            keypad.publish("device/v1/kp-1/up/state", "{}", retain=True)
            gateway.on_topic("device/v1/kp-1/up/state")
            assert [m.payload for m in keypad.received] == [b"for kp-1"]
            assert [m.payload for m in display.received] == [b"for disp-1"]


def test_publishes_a_last_will_and_retains_it(port: int) -> None:
    topic = "device/v1/kp-1/up/online"
    with PlainClient(port, ["device/v1/+/up/#"], name="gateway") as gateway:
        device = PlainClient(port, ["device/v1/kp-1/down/#"], name="kp-1", will=(topic, b"0"))
        device.__enter__()
        device.publish(topic, "1", retain=True)
        device.vanish()
        gateway.on_topic(topic, count=2)
        assert [message.payload for message in gateway.received] == [b"1", b"0"]
    with PlainClient(port, [topic], name="later") as later:
        message = later.on_topic(topic)[0]
        assert (message.payload, message.retain) == (b"0", True)


def test_is_quiet(port: int, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG, logger="root"),
        PlainClient(port, ["a/#"], name="a") as client,
    ):
        client.publish("a/b", "c", retain=True)
        client.on_topic("a/b")
    assert [record.message for record in caplog.records] == []


async def test_refuses_to_listen_beyond_loopback() -> None:
    with pytest.raises(BrokerStartError, match=r"loopback only, not on 0\.0\.0\.0"):
        async with embedded_broker("0.0.0.0", free_port()):
            pass


async def test_says_so_when_the_port_is_taken() -> None:
    port = free_port()
    async with embedded_broker("127.0.0.1", port):
        with pytest.raises(BrokerStartError, match=str(port)):
            async with embedded_broker("127.0.0.1", port):
                pass
