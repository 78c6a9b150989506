"""Events on the hall side of the contract, and commands that are refused: one gateway for all.

None of these tests changes what the gateway shows, and each device begins an epoch of its own. A
real gateway process and a real mosquitto, as in test_hall_contract.py.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from support.gateway import Gateway
from support.mosquitto import Mosquitto
from support.plain_device import PlainDevice
from support.plain_hall import ROOT, PlainHall

PRESS = {"key": 5, "session": None}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("gateway"), broker.port) as running:
        yield running


def test_events_are_cloud_events(hall: PlainHall, keypad: PlainDevice) -> None:
    event = keypad.emit("press", PRESS)
    keypad.send(event)
    message = hall.client.on_topic(f"{ROOT}/event/rating/quarantined")[0]
    assert (message.qos, message.retain) == (1, False)
    body = json.loads(message.payload)
    assert body["specversion"] == "1.0"
    assert body["type"] == "hall.rating.quarantined"
    assert body["id"] == f"kp-1/{keypad.epoch:08x}/1"
    assert body["source"] == "/hall/demo/kp-1"
    assert body["subject"] == "window/1"
    assert body["datacontenttype"] == "application/json"
    assert body["clockquality"] in ("synced", "estimated")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["time"])
    sent = datetime.fromtimestamp(event["t"] / 1000, UTC)
    assert abs((datetime.fromisoformat(body["time"]) - sent).total_seconds()) < 5


@pytest.mark.parametrize(
    ("device", "kind", "data", "type", "subject"),
    [
        ("kp-1", "boot", {"cause": "power_on"}, "hall.device.started", "window/1"),
        ("count-1", "passage", {"dir": "in"}, "hall.count.passage", "zone/entrance"),
        ("floor-1", "wet", {"ohms": 40000}, "hall.floor.wet", "zone/entrance"),
        ("floor-1", "dry", {"ohms": 900000}, "hall.floor.dry", "zone/entrance"),
        ("floor-1", "escalate", {"minutes": 30}, "hall.floor.escalated", "zone/entrance"),
        ("floor-1", "attended", {}, "hall.floor.attended", "zone/entrance"),
        ("floor-1", "rain", {"on": True}, "hall.rain.started", "zone/entrance"),
        ("floor-1", "rain", {"on": False}, "hall.rain.ended", "zone/entrance"),
        ("floor-1", "fault", {"code": "probe_open", "value": 1}, "hall.floor.fault", "zone/entr"),
        ("kp-1", "fault", {"code": "key_stuck", "value": 1}, "hall.device.fault", "window/1"),
    ],
)
def test_what_devices_report_has_its_type_and_topic(
    broker: Mosquitto,
    gateway: Gateway,
    hall: PlainHall,
    device: str,
    kind: str,
    data: dict[str, object],
    type: str,
    subject: str,
) -> None:
    with PlainDevice(broker.port, device) as plain:
        plain.send(plain.emit(kind, data))
        event = hall.await_events(type)[0]
    noun, verb = type.split(".")[1:]
    assert hall.client.on_topic(f"{ROOT}/event/{noun}/{verb}")
    assert event["id"] == plain.ids[0]
    assert event["subject"].startswith(subject)


def test_a_wrong_command_is_told_what_would_be_right(gateway: Gateway, hall: PlainHall) -> None:
    wrong: list[tuple[str, dict[str, object], str]] = [
        ("call", {"ticket": "A1", "window": "9"}, "9 is not in this hall; give one of 1, 2"),
        ("call", {"ticket": "A1"}, "window: missing"),
        ("call", {"ticket": 15, "window": "1"}, "ticket: "),
        ("call", {"ticket": "A1", "window": "1", "urgent": True}, "urgent: unknown field"),
        ("end", {"window": "1"}, "start a service before its end"),
        ("start", {"window": "1"}, "call a ticket before a start"),
        ("transfer", {"window": "1", "to": "1"}, "no ticket to transfer"),
        ("show", {"text": "x", "seconds": 0, "window": "1"}, "seconds: "),
        ("show", {"text": "x", "seconds": 5}, "give either window or device"),
        ("device", {"device": "nobody", "do": "identify"}, "nobody"),
        ("device", {"device": "kp-1", "do": "dance"}, "do: "),
        ("celebrate", {}, "celebrate"),
    ]
    for name, fields, expected in wrong:
        reply = hall.command(name, **fields)
        assert (reply["ok"], set(reply)) == (False, {"id", "ok", "error"})
        assert expected in reply["error"]
        assert "\n" not in reply["error"]


def test_a_command_without_a_readable_id_stops_nothing(gateway: Gateway, hall: PlainHall) -> None:
    payloads = ["", "{", "[1]", '{"ticket": "A1"}', '{"id": "a/b"}', '{"id": "+"}']
    payloads.append(json.dumps({"id": "big", "ticket": "A" * 2048, "window": "1"}))
    for payload in payloads:
        hall.client.publish(f"{ROOT}/command/call", payload)
    assert hall.command("staff", id="readable", window="1", staff="王芳")["ok"] is True
    assert len([m for m in hall.client.received if "/reply/" in m.topic]) == 1
