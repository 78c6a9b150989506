"""The device side of the contract: every topic of `device/v1/…`, with a plain client as device.

A real gateway process and a real mosquitto. What a payload leads to at the hall system is seen
through a plain hall system.
"""

import json
import time
from typing import Any

from support.gateway import Gateway
from support.mosquitto import Mosquitto
from support.paho_client import PlainClient
from support.plain_device import PlainDevice
from support.plain_hall import ROOT, PlainHall

PRESS = {"key": 5, "session": None}


def test_an_acked_event_survives_a_kill_right_after_the_ack(
    keypad: PlainDevice, gateway: Gateway, hall: PlainHall
) -> None:
    keypad.send(keypad.emit("press", PRESS))
    keypad.await_ack(1)
    gateway.kill()
    rows = gateway.rows("SELECT device, epoch, seq FROM events")
    assert rows == [("kp-1", keypad.epoch, 1)]
    gateway.start()
    event = hall.await_events("hall.rating.quarantined")[0]
    assert event["id"] == keypad.ids[0]


def test_desired_is_retained_with_a_rev_and_follows_the_window(
    broker: Mosquitto, display: PlainDevice, keypad: PlainDevice, hall: PlainHall
) -> None:
    idle = display.await_desired()
    assert (idle["view"], idle["name"]) == ("idle", "综合业务")
    assert 0 <= idle["rev"] - time.time() + 5 < 10
    assert keypad.await_desired()["session"] is None

    hall.command("call", ticket="A015", window="1")
    call = display.await_desired(lambda desired: desired["view"] == "call")
    assert call["rev"] > idle["rev"]
    assert (call["ticket"], call["window"]) == ("A015", "1")
    assert call["ttl_s"] > 0

    with PlainClient(broker.port, ["device/v1/disp-1/down/#"], name="late") as late:
        message = late.on_topic("device/v1/disp-1/down/desired")[0]
    assert (message.retain, message.qos) == (True, 1)
    assert json.loads(message.payload) == call


def test_desired_is_published_again_to_a_broker_that_lost_it(
    broker: Mosquitto, display: PlainDevice, hall: PlainHall
) -> None:
    hall.command("call", ticket="A015", window="1")
    rev = display.await_desired(lambda desired: desired["view"] == "call")["rev"]
    broker.kill()
    broker.start()
    with PlainClient(broker.port, ["device/v1/disp-1/down/#"], name="late") as late:
        body = json.loads(late.on_topic("device/v1/disp-1/down/desired", seconds=40)[0].payload)
    assert body["ticket"] == "A015"
    assert body["rev"] >= rev


def test_a_rating_session_is_a_desired_state(
    display: PlainDevice, keypad: PlainDevice, hall: PlainHall
) -> None:
    hall.command("call", ticket="A015", window="1")
    hall.command("start", window="1")
    hall.command("end", window="1")
    desired = keypad.await_desired(lambda desired: desired["session"] is not None)
    session = desired["session"]
    assert (session["ticket"], session["window_s"]) == ("A015", 30)
    assert abs(session["until"] / 1000 - time.time() - 30) < 5
    press = {"key": 5, "session": desired["rev"]}
    keypad.send(keypad.emit("press", press))
    keypad.send(keypad.emit("close", {"session": desired["rev"], "why": "lock"}))
    given = hall.await_events("hall.rating.given")[0]
    assert (given["data"]["ticket"], given["data"]["mark"]) == ("A015", 1)
    assert given["id"] == keypad.ids[1]


def test_a_device_command_and_its_reply(keypad: PlainDevice, hall: PlainHall) -> None:
    keypad.online()
    answer = _ask(hall, "device", device="kp-1", do="selftest", ttl_s=20)
    message = keypad.client.on_topic("device/v1/kp-1/down/cmd")[0]
    assert (message.qos, message.retain) == (1, False)
    body = json.loads(message.payload)
    assert (body["do"], body["args"]) == ("selftest", {})
    reply = {"id": body["id"], "ok": True, "result": {"keys": True}}
    keypad.client.publish("device/v1/kp-1/up/reply", json.dumps(reply))
    assert answer()["result"] == {"keys": True}


def test_a_device_command_waits_for_the_device_within_its_time(
    keypad: PlainDevice, hall: PlainHall
) -> None:
    answer = _ask(hall, "device", device="kp-1", do="identify", ttl_s=20)
    hall.command("staff", window="1", staff="王芳")  # by now the gateway has seen both
    assert not [m for m in keypad.client.received if m.topic.endswith("/down/cmd")]
    keypad.online()
    body = json.loads(keypad.client.on_topic("device/v1/kp-1/down/cmd")[0].payload)
    keypad.client.publish("device/v1/kp-1/up/reply", json.dumps({"id": body["id"], "ok": True}))
    assert answer()["ok"] is True


def test_a_device_that_comes_back_gets_its_command_again_but_never_two_reboots(
    keypad: PlainDevice, hall: PlainHall
) -> None:
    def commands(do: str) -> list[dict[str, Any]]:
        bodies = [m for m in list(keypad.client.received) if m.topic.endswith("/down/cmd")]
        return [body for m in bodies if (body := json.loads(m.payload))["do"] == do]

    keypad.online()
    _ask(hall, "device", id="a", device="kp-1", do="reboot", ttl_s=20)
    _ask(hall, "device", id="b", device="kp-1", do="identify", ttl_s=20)
    assert keypad.client.until(lambda: commands("reboot") and commands("identify"))
    keypad.online("0")
    keypad.online()
    assert keypad.client.until(lambda: len(commands("identify")) == 2)
    reply = json.dumps({"id": commands("identify")[0]["id"], "ok": True})
    keypad.client.publish("device/v1/kp-1/up/reply", reply)
    hall.client.on_topic(f"{ROOT}/reply/b")
    keypad.online()
    _ask(hall, "device", id="c", device="kp-1", do="selftest", ttl_s=20)
    assert keypad.client.until(lambda: commands("selftest"))
    assert (len(commands("reboot")), len(commands("identify"))) == (1, 2)


def test_a_device_command_that_nobody_answers_gets_an_error(
    keypad: PlainDevice, hall: PlainHall
) -> None:
    keypad.online()
    reply = hall.command("device", device="kp-1", do="identify", ttl_s=1)
    assert reply["ok"] is False
    assert "kp-1" in reply["error"]


def test_online_and_the_last_will_reach_the_hall_system(
    broker: Mosquitto, gateway: Gateway, hall: PlainHall
) -> None:
    device = PlainDevice(broker.port, "count-1")
    device.__enter__()
    device.online()
    online = hall.await_events("hall.device.online")[0]
    assert (online["data"]["device"], online["subject"]) == ("count-1", "zone/entrance")
    device.client.vanish()
    offline = hall.await_events("hall.device.offline")[0]
    assert (offline["data"]["device"], offline["source"]) == ("count-1", "/hall/demo/gateway")


# Wrong payloads: each is counted and never stops anything, as the good event after it shows.


def test_a_wrong_event_is_quarantined_and_acked(keypad: PlainDevice, hall: PlainHall) -> None:
    """Its identity can be read: the device must be able to forget it, and the hall is told."""
    wrong: list[dict[str, object]] = [
        {"kind": "sneeze"},
        {"kind": "passage", "data": {"dir": "in"}},  # not a keypad's kind
        {"data": {"key": "five", "session": None}},
        {"data": None},
        {"boot": "one"},
        {"up": -1},
        {"t": 2**50},
    ]
    for seq, changed in enumerate(wrong, start=1):
        keypad.send(keypad.emit("press", PRESS) | changed)
        keypad.await_ack(seq)
    faults = hall.await_events("hall.device.fault", count=len(wrong))
    assert {fault["subject"] for fault in faults} == {"window/1"}
    await_count(hall, "quarantined", len(wrong))
    assert hall.events("hall.rating.quarantined") == []


def test_what_has_no_identity_is_counted(keypad: PlainDevice, hall: PlainHall) -> None:
    good = keypad.emit("press", PRESS)
    changes: list[dict[str, object]] = [
        {"seq": 0},
        {"seq": "1"},
        {"seq": 1.5},
        {"epoch": 2**32},
        {"epoch": None},
    ]
    payloads: list[str | bytes] = [b"", b"{", b"\xff\xfe", b"[1,2]", b"null", b'{"epoch":1}']
    payloads += [json.dumps(good | changed) for changed in changes]
    for payload in payloads:
        keypad.send(payload)
    await_count(hall, "quarantined", len(payloads))
    keypad.send(good)
    keypad.await_ack(1)
    assert len(keypad.acks()) == 1


def test_two_kilobytes_are_not_an_event(keypad: PlainDevice, hall: PlainHall) -> None:
    good = keypad.emit("press", PRESS)
    keypad.send(json.dumps(good | {"data": {"key": 5, "session": None, "pad": "x" * 2048}}))
    await_count(hall, "quarantined", 1)
    keypad.send(keypad.emit("press", PRESS))
    keypad.await_ack(2)


def test_an_unknown_device_is_refused_and_counted(
    broker: Mosquitto, gateway: Gateway, hall: PlainHall
) -> None:
    with PlainDevice(broker.port, "stranger") as stranger:
        stranger.send(stranger.emit("press", PRESS))
        stranger.state()
        stranger.online()
        await_count(hall, "refused", 3)
        assert stranger.client.received == []
        assert "stranger" not in json.dumps([m.topic for m in hall.client.received])


def test_topics_of_another_shape_are_counted(keypad: PlainDevice, hall: PlainHall) -> None:
    for leaf in ("up/nonsense", "up/event/more", "up", "up/", "up/event/"):
        keypad.client.publish(f"device/v1/kp-1/{leaf}", b"x")
    await_count(hall, "refused_by_links", 5, "topic")
    keypad.send(keypad.emit("press", PRESS))
    keypad.await_ack(1)


def test_online_is_0_or_1(keypad: PlainDevice, hall: PlainHall) -> None:
    for payload in ("yes", "", "2", "true"):
        keypad.online(payload)
    await_count(hall, "refused_by_links", 4, "online")
    assert hall.events("hall.device.online") == []


def test_a_wrong_state_is_refused_and_counted(keypad: PlainDevice, hall: PlainHall) -> None:
    for payload in ("", "{", "[]", '{"journal": 5}', '{"journal": {}}', "x" * 2048):
        keypad.client.publish("device/v1/kp-1/up/state", payload)
    await_count(hall, "refused", 6)
    assert keypad.acks() == []


def test_a_wrong_reply_is_refused_and_counted(keypad: PlainDevice, hall: PlainHall) -> None:
    for payload in ("", "{", '{"id": 5, "ok": true}', '{"id": "never-asked", "ok": true}'):
        keypad.client.publish("device/v1/kp-1/up/reply", payload)
    await_count(hall, "refused", 4)


def await_count(hall: PlainHall, name: str, least: int, key: str | None = None) -> None:
    """Wait until the gateway's own state, which it publishes for the hall, counts so many."""

    def counted() -> bool:
        states = [m for m in hall.client.received if m.topic == f"{ROOT}/state/gateway"]
        value = json.loads(states[-1].payload)[name] if states else 0
        if isinstance(value, dict):
            value = value.get(key, 0) if key else sum(value.values())
        return value >= least

    assert hall.client.until(counted), f"the gateway never counted {least} {name}"


def _ask(hall: PlainHall, name: str, id: str = "late", **fields: Any) -> Any:
    """Send a command and return a function that waits for its reply."""
    assert hall.client.until(lambda: hall.gateway_online)
    hall.client.publish(f"{ROOT}/command/{name}", json.dumps({"id": id, **fields}))
    return lambda: json.loads(hall.client.on_topic(f"{ROOT}/reply/{id}")[0].payload)
