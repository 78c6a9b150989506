"""What waits at the brokers while the gateway is away, or does not read, is handled afterwards.

A broker delivers it right after CONNACK, before SUBACK, and all at once when its settings allow.
"""

import json
import os
import signal
from pathlib import Path

from support.delay_proxy import DelayProxy
from support.gateway import SMALL_HALL, Gateway
from support.mosquitto import Mosquitto
from support.plain_device import PlainDevice
from support.plain_hall import ROOT, PlainHall

DELAY_S = 0.03
# Its device knows no window: no other has so much under way at once.
PATIENT = f"[limits]\nburst = 1000000\n{SMALL_HALL}"
UNLIMITED = ["max_queued_messages 0", "max_inflight_messages 0"]


def staff_order(id: str) -> str:
    return json.dumps({"id": id, "window": "1", "staff": f"staff {id}"})


def answered(hall: PlainHall) -> set[str]:
    prefix = f"{ROOT}/reply/"
    return {
        m.topic.removeprefix(prefix) for m in hall.client.received if m.topic.startswith(prefix)
    }


def test_commands_that_waited_at_a_distant_broker_are_answered(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with (
        Mosquitto(tmp_path / "upstream") as upstream,
        DelayProxy(upstream.port, DELAY_S) as far,
        PlainHall(upstream.port) as hall,
    ):
        gateway = Gateway(tmp_path / "gateway", broker.port, upstream_port=far.port)
        with gateway:
            assert hall.client.until(lambda: hall.gateway_online)
        ids = {f"w-{number}" for number in range(25)}
        for id in ids:
            hall.client.publish(f"{ROOT}/command/staff", staff_order(id))
        with gateway:
            assert hall.client.until(lambda: answered(hall) == ids, 10), answered(hall)
            assert hall.command("staff", window="2", staff="new")["ok"] is True


def test_events_that_waited_at_a_distant_broker_are_acked(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path / "upstream") as upstream,
        Mosquitto(tmp_path / "devices", settings=["max_queued_messages 0"]) as devices,
        DelayProxy(devices.port, DELAY_S) as far,
        PlainDevice(devices.port, "count-1") as counter,
        PlainDevice(devices.port, "floor-1") as floor,
    ):
        gateway = Gateway(tmp_path / "gateway", far.port, upstream_port=upstream.port)
        with gateway:
            pass  # its session at the broker exists from now on
        for _ in range(40):
            counter.send(counter.emit("passage", {"dir": "in"}))
        with gateway:
            counter.await_ack(40, 10)
            floor.send(floor.emit("wet", {"ohms": 1000}))
            floor.await_ack(1)


def test_a_gateway_that_did_not_read_for_a_while_acks_everything_soon(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path / "upstream") as upstream,
        Mosquitto(tmp_path / "devices", settings=UNLIMITED) as devices,
        Gateway(
            tmp_path / "gateway", devices.port, upstream_port=upstream.port, tables=PATIENT
        ) as gateway,
        PlainDevice(devices.port, "count-1") as counter,
    ):
        os.kill(gateway.pid, signal.SIGSTOP)
        for _ in range(3000):
            event = json.dumps(counter.emit("passage", {"dir": "in"}))
            counter.client.publish_soon(f"{counter.root}/up/event", event)
        counter.online()  # its PUBACK comes after those of the events: all are at the broker
        os.kill(gateway.pid, signal.SIGCONT)
        assert counter.client.until(lambda: counter.acked == 3000, 60), counter.acked


def test_commands_behind_a_gateway_that_did_not_read_are_answered_soon(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path / "devices") as devices,
        Mosquitto(tmp_path / "upstream", settings=UNLIMITED) as upstream,
        PlainHall(upstream.port) as hall,
        Gateway(
            tmp_path / "gateway", devices.port, upstream_port=upstream.port, tables=PATIENT
        ) as gateway,
    ):
        assert hall.client.until(lambda: hall.gateway_online)
        os.kill(gateway.pid, signal.SIGSTOP)
        ids = {f"w-{number}" for number in range(1500)}
        for id in ids:
            hall.client.publish_soon(f"{ROOT}/command/staff", staff_order(id))
        hall.client.publish(f"{ROOT}/command/staff", staff_order("last"))
        os.kill(gateway.pid, signal.SIGCONT)
        assert hall.client.until(lambda: answered(hall) == ids | {"last"}, 60), len(answered(hall))
