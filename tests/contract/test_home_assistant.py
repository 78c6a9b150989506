"""What a Home Assistant finds of a hall on its broker, held against its own discovery schema.

The schema is a translation of `DEVICE_DISCOVERY_SCHEMA` and of what sensors and binary sensors
require (home-assistant/core, components/mqtt).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hall_tools.ports import free_port
from support.gateway import SMALL_HALL, Gateway
from support.mosquitto import Mosquitto
from support.paho_client import PlainClient
from support.plain_device import PlainDevice
from support.plain_hall import PlainHall

TEXT = {"type": "string", "minLength": 1}
TOPIC = {"type": "string", "pattern": "^[^+#\\s]+$"}
ENTITY = {
    "type": "object",
    "required": ["platform", "unique_id", "state_topic", "name"],
    "additionalProperties": False,
    "properties": {
        "platform": {"enum": ["sensor", "binary_sensor"]},
        "unique_id": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
        "state_topic": TOPIC,
        "name": TEXT,
        "icon": {"type": "string", "pattern": "^mdi:[a-z-]+$"},
        "device_class": {"enum": ["moisture"]},
        "state_class": {"enum": ["measurement", "total_increasing", "total"]},
    },
}
SCHEMA = {
    "type": "object",
    "required": ["device", "components", "origin"],
    "additionalProperties": False,
    "properties": {
        "device": {
            "type": "object",
            "required": ["identifiers", "name"],
            "additionalProperties": False,
            "properties": {
                "identifiers": {"type": "array", "items": TEXT, "minItems": 1},
                "name": TEXT,
                "manufacturer": TEXT,
                "model": TEXT,
                "via_device": TEXT,
            },
        },
        "origin": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {"name": TEXT, "sw_version": TEXT, "support_url": TEXT},
        },
        "components": {"type": "object", "additionalProperties": ENTITY, "minProperties": 1},
        "availability": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["topic"],
                "additionalProperties": False,
                "properties": {
                    "topic": TOPIC,
                    "payload_available": TEXT,
                    "payload_not_available": TEXT,
                },
            },
        },
        "availability_mode": {"enum": ["all", "any", "latest"]},
        "qos": {"enum": [0, 1, 2]},
    },
}
HALL, FLOOR = "hallkit_demo_", "hallkit_demo_floor-1"


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[tuple[Mosquitto, Mosquitto]]:
    with Mosquitto(tmp_path / "broker") as ours, Mosquitto(tmp_path / "ha") as theirs:
        yield ours, theirs


class Shown:
    """What is retained at Home Assistant's broker, as far as it came."""

    def __init__(self, client: PlainClient) -> None:
        self.client = client

    def now(self) -> dict[str, str]:
        return {m.topic: m.payload.decode() for m in list(self.client.received)}

    def until(self, topic: str, value: str) -> None:
        assert self.client.until(lambda: self.now().get(topic) == value, 20), (topic, self.now())

    def config(self, id: str) -> dict[str, Any]:
        topic = f"homeassistant/device/{id}/config"
        assert self.client.until(lambda: bool(self.now().get(topic)), 20), topic
        return json.loads(self.now()[topic])


def test_home_assistant_finds_the_hall_and_follows_it(
    tmp_path: Path, brokers: tuple[Mosquitto, Mosquitto]
) -> None:
    ours, theirs = brokers
    table = f"[home_assistant]\nport = {theirs.port}\n"
    gateway = Gateway(tmp_path / "gateway", ours.port, tables=table + SMALL_HALL)
    with (
        gateway,
        PlainClient(theirs.port, ["#"], name="ha") as client,
        PlainHall(ours.port) as hall,
        PlainDevice(ours.port, "count-1") as counter,
        PlainDevice(ours.port, "floor-1") as floor,
    ):
        shown = Shown(client)
        for id in (HALL, FLOOR):
            config = shown.config(id)
            jsonschema.validate(config, SCHEMA)
            for entity in config["components"].values():
                shown.client.on_topic(entity["state_topic"])
        assert set(shown.config(HALL)["components"]) == {"queue", "ratings", "occupancy"}
        assert shown.config(FLOOR)["device"]["via_device"] == HALL
        shown.until("hallkit/demo/online", "1")
        floor.online()
        shown.until("hallkit/demo/floor-1/online", "1")
        shown.until("hallkit/demo/floor-1/wet", "None")
        floor.state(shows={"wet": True})
        shown.until("hallkit/demo/floor-1/wet", "ON")
        for _ in range(3):
            counter.emit("passage", {"dir": "in"})
        counter.deliver()
        shown.until("hallkit/demo/hall/occupancy", "3")
        assert hall.command("take", ticket="A001")["ok"]
        shown.until("hallkit/demo/hall/queue", "1")
        # Home Assistant starts anew, and may have forgotten.
        before = len(client.received)
        client.publish("homeassistant/status", "online")
        assert client.until(
            lambda: any(m.topic.endswith("/config") for m in client.received[before:]), 20
        )
        # A device that leaves the settings leaves Home Assistant.
        settings = gateway.config.read_text()
        gateway.config.write_text(settings[: settings.index('[[device]]\nid = "floor-1"')])
        shown.until(f"homeassistant/device/{FLOOR}/config", "")
        assert gateway.stop() == 0
        shown.until("hallkit/demo/online", "0")


def test_what_an_earlier_gateway_announced_is_taken_back(
    tmp_path: Path, brokers: tuple[Mosquitto, Mosquitto]
) -> None:
    ours, theirs = brokers
    old, other = "hallkit_demo_old-1", "hallkit_demo2_old-1"
    with PlainClient(theirs.port, ["#"], name="ha") as client:
        for id in (old, other):
            client.publish(f"homeassistant/device/{id}/config", "{}", retain=True)
        table = f"[home_assistant]\nport = {theirs.port}\n"
        with Gateway(tmp_path / "gateway", ours.port, tables=table + SMALL_HALL):
            shown = Shown(client)
            shown.until(f"homeassistant/device/{old}/config", "")
            shown.config(HALL)
            assert shown.now()[f"homeassistant/device/{other}/config"] == "{}"


def test_without_its_broker_everything_else_goes_on(
    tmp_path: Path, brokers: tuple[Mosquitto, Mosquitto]
) -> None:
    ours, _ = brokers
    table = f"[home_assistant]\nport = {free_port()}\n"
    gateway = Gateway(tmp_path / "gateway", ours.port, tables=table + SMALL_HALL)
    with gateway, PlainHall(ours.port) as hall:
        gateway.await_log("Home Assistant's broker: cannot connect")
        assert hall.command("take", ticket="A001")["ok"]
        assert gateway.stop() == 0
