"""The hall side of the contract: every topic of `hall/v1/…`, with a plain client as hall system.

A real gateway process and a real mosquitto; devices are plain clients.
"""

import json
from pathlib import Path

from hall_tools.ports import free_port
from support.gateway import Gateway
from support.mosquitto import Mosquitto
from support.paho_client import PlainClient
from support.plain_device import PlainDevice
from support.plain_hall import ROOT, PlainHall

PRESS = {"key": 5, "session": None}


def test_a_service_from_call_to_rating(
    hall: PlainHall, keypad: PlainDevice, display: PlainDevice
) -> None:
    called = hall.command("call", ticket="A015", window="1", staff="王芳", business="报装")
    assert called["ok"] is True
    assert called["result"]["state"] == "called"
    rev = display.await_desired(lambda desired: desired["view"] == "call")["rev"]
    display.send(display.emit("shown", {"rev": rev}))
    shown = hall.await_events("hall.call.shown")[0]
    assert (shown["data"]["ticket"], shown["subject"]) == ("A015", "window/1")
    assert hall.command("start", window="1")["result"]["state"] == "serving"
    assert hall.command("end", window="1")["result"]["state"] == "idle"
    started = hall.await_events("hall.service.started")[0]
    ended = hall.await_events("hall.service.ended")[0]
    assert started["source"] == "/hall/demo/gateway"
    assert ended["data"]["reason"] == "completed"
    assert ended["data"]["staff"] == "王芳"
    session = keypad.await_desired(lambda desired: desired["session"] is not None)["rev"]
    keypad.send(keypad.emit("close", {"session": session, "why": "end"}))
    none = hall.await_events("hall.rating.none")[0]
    assert (none["data"]["ticket"], none["data"]["reason"]) == ("A015", "timeout")


def test_every_window_command_is_answered(hall: PlainHall, display: PlainDevice) -> None:
    replies = [
        hall.command("call", ticket="A1", window="1"),
        hall.command("recall", window="1"),
        hall.command("no_show", window="1"),
        hall.command("pause", window="1"),
        hall.command("resume", window="1"),
        hall.command("staff", window="1", staff="李雷"),
        hall.command("call", ticket="A2", window="1"),
        hall.command("transfer", window="1", to="2"),
        hall.command("show", window="1", text="请排队", seconds=5),
        hall.command("show", device="disp-2", text="午休", seconds=5),
    ]
    assert [reply["ok"] for reply in replies] == [True] * len(replies)
    assert all(set(reply) == {"id", "ok", "result"} for reply in replies)


def test_a_reply_is_not_retained_and_has_the_commands_id(
    hall: PlainHall, display: PlainDevice
) -> None:
    hall.command("call", id="q-7", ticket="A1", window="1")
    message = hall.client.on_topic(f"{ROOT}/reply/q-7")[0]
    assert (message.qos, message.retain) == (1, False)
    assert json.loads(message.payload)["id"] == "q-7"


def test_a_repeated_command_changes_nothing_and_gets_the_same_reply(
    hall: PlainHall, display: PlainDevice
) -> None:
    first = hall.command("call", id="q-1", ticket="A1", window="1")
    hall.command("call", id="q-2", ticket="A2", window="1")
    newer = display.await_desired(lambda desired: desired.get("ticket") == "A2")
    assert hall.command("call", id="q-1", ticket="A1", window="1") == first
    hall.command("staff", window="2", staff=None)  # by now the repeat would have had its effect
    assert display.await_desired() == newer


def test_a_retained_command_is_refused(broker: Mosquitto, tmp_path: Path) -> None:
    """It would be given again at every connection of the gateway, whatever its age."""
    order = json.dumps({"id": "old", "ticket": "A1", "window": "1"})
    with PlainClient(broker.port, name="old-system") as old:
        old.publish(f"{ROOT}/command/call", order, retain=True)
    with (
        PlainHall(broker.port) as hall,
        Gateway(tmp_path / "gateway", broker.port),
    ):
        assert hall.command("start", window="1")["ok"] is False
        assert not [m for m in hall.client.received if m.topic == f"{ROOT}/reply/old"]


def test_states_are_retained(broker: Mosquitto, hall: PlainHall, display: PlainDevice) -> None:
    display.state(shows={"view": "idle"})
    display.online()
    topic = f"{ROOT}/state/disp-1"
    hall.client.wait(lambda m: m.topic == topic and b'"online":true' in m.payload)
    with PlainClient(broker.port, [f"{ROOT}/state/+"], name="late") as late:
        message = late.on_topic(topic)[0]
        late.on_topic(f"{ROOT}/state/kp-1")
        late.on_topic(f"{ROOT}/state/gateway")
    assert (message.retain, message.qos) == (True, 1)
    body = json.loads(message.payload)
    assert body["device"] == "disp-1"
    assert body["state"]["shows"] == {"view": "idle"}
    assert body["seen"] > 1_700_000_000_000


def test_online_is_retained_and_ends_with_the_gateway(
    broker: Mosquitto, gateway: Gateway, hall: PlainHall
) -> None:
    topic = f"{ROOT}/online"
    hall.client.wait(lambda m: m.topic == topic and m.payload == b"1")
    assert gateway.stop() == 0
    hall.client.wait(lambda m: m.topic == topic and m.payload == b"0")
    with PlainClient(broker.port, [topic], name="late") as late:
        message = late.on_topic(topic)[0]
    assert (message.payload, message.retain, message.qos) == (b"0", True, 1)


def test_the_last_will_says_that_the_gateway_is_gone(
    broker: Mosquitto, gateway: Gateway, hall: PlainHall
) -> None:
    topic = f"{ROOT}/online"
    hall.client.wait(lambda m: m.topic == topic and m.payload == b"1")
    gateway.kill()
    hall.client.wait(lambda m: m.topic == topic and m.payload == b"0")
    gateway.start()
    hall.client.wait(lambda m: m.topic == topic and m.payload == b"1", count=2)


def test_commands_given_while_the_gateway_is_down_are_answered(
    gateway: Gateway, hall: PlainHall
) -> None:
    hall.command("call", ticket="A1", window="1")
    gateway.kill()
    hall.client.publish(f"{ROOT}/command/start", json.dumps({"id": "later", "window": "1"}))
    gateway.start()
    reply = json.loads(hall.client.on_topic(f"{ROOT}/reply/later")[0].payload)
    assert (reply["ok"], reply["result"]["state"]) == (True, "serving")


def test_the_two_sides_may_be_different_brokers(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path / "device-broker") as devices,
        Mosquitto(tmp_path / "hall-broker") as upstream,
        Gateway(tmp_path / "gateway", devices.port, upstream_port=upstream.port),
        PlainHall(upstream.port) as hall,
        PlainDevice(devices.port, "kp-1") as keypad,
    ):
        keypad.send(keypad.emit("press", PRESS))
        assert hall.await_events("hall.rating.quarantined")[0]["id"] == keypad.ids[0]
        assert hall.command("call", ticket="A1", window="1")["ok"] is True


def test_the_embedded_broker_serves_both_sides(tmp_path: Path) -> None:
    port = free_port()
    with (
        Gateway(tmp_path / "gateway", port, embedded=True),
        PlainHall(port) as hall,
        PlainDevice(port, "kp-1") as keypad,
        PlainDevice(port, "disp-1") as display,
    ):
        for _ in range(50):
            keypad.emit("press", PRESS)
        keypad.deliver()
        events = hall.await_events("hall.rating.quarantined", count=50)
        assert [event["id"] for event in events] == keypad.ids
        hall.command("call", ticket="A1", window="1")
        display.await_desired(lambda desired: desired.get("ticket") == "A1")
