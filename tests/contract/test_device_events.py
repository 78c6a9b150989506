"""Events on the device side of the contract, and their acks: one gateway for all of these tests.

Each test's device begins an epoch of its own, so none sees what another one left. A real gateway
process and a real mosquitto, as in test_device_contract.py.
"""

import json
import time
from collections.abc import Iterator

import pytest
from support.gateway import Gateway
from support.mosquitto import Mosquitto
from support.plain_device import PlainDevice
from support.plain_hall import PlainHall

PRESS = {"key": 5, "session": None}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("gateway"), broker.port) as running:
        yield running


def test_an_event_is_acked_by_the_application(keypad: PlainDevice) -> None:
    keypad.send(keypad.emit("press", PRESS))
    ack = keypad.await_ack(1)
    assert set(ack) == {"epoch", "seq", "now"}
    assert (ack["epoch"], ack["seq"]) == (keypad.epoch, 1)
    assert abs(ack["now"] / 1000 - time.time()) < 5
    message = keypad.acks()[0]
    assert (message.qos, message.retain) == (1, False)


def test_acks_are_cumulative_over_a_window_of_eight(keypad: PlainDevice, hall: PlainHall) -> None:
    for _ in range(40):
        keypad.emit("press", PRESS)
    keypad.deliver()
    assert keypad.acked == 40
    events = hall.await_events("hall.rating.quarantined", count=40)
    assert [event["id"] for event in events] == keypad.ids
    assert hall.repeats() == {}


def test_a_duplicate_is_acked_again_and_counts_once(keypad: PlainDevice, hall: PlainHall) -> None:
    first = keypad.emit("press", PRESS)
    keypad.send(first)
    keypad.await_ack(1)
    keypad.send(first)
    assert keypad.client.until(lambda: len(keypad.acks()) == 2)
    keypad.send(keypad.emit("press", PRESS))
    assert len(hall.await_events("hall.rating.quarantined", count=2)) == 2
    assert hall.repeats() == {}


def test_nothing_is_acked_before_the_base_is_known(keypad: PlainDevice) -> None:
    for _ in range(5):
        keypad.emit("press", PRESS)
    keypad.send(keypad.journal[4])
    journal = {"epoch": keypad.epoch, "acked": 4, "next": 6, "dropped": 0, "torn": 0}
    keypad.state(journal=journal)
    assert keypad.await_ack(4)["seq"] == 5
    assert {json.loads(ack.payload)["seq"] for ack in keypad.acks()} == {5}


def test_a_state_sets_the_clock_of_a_device(keypad: PlainDevice) -> None:
    keypad.send(keypad.emit("press", PRESS))
    keypad.await_ack(1)
    seen = len(keypad.acks())
    keypad.state()
    assert keypad.client.until(lambda: len(keypad.acks()) > seen)
    assert abs(json.loads(keypad.acks()[-1].payload)["now"] / 1000 - time.time()) < 5


def test_a_gap_is_accounted_for_and_acked(keypad: PlainDevice, hall: PlainHall) -> None:
    keypad.send(keypad.emit("press", PRESS))
    keypad.await_ack(1)
    keypad.send(keypad.emit("gap", {"from": 2, "to": 10}, seq=10))
    keypad.await_ack(10)
    (fault,) = hall.await_events(
        "hall.device.fault", where=lambda event: event["data"]["code"] == "journal_overflow"
    )
    assert fault["data"]["lost"] == 9


def test_one_identity_with_two_bodies_raises_an_alarm_and_is_acked(
    keypad: PlainDevice, hall: PlainHall
) -> None:
    event = keypad.emit("press", PRESS)
    keypad.send(event)
    keypad.await_ack(1)
    keypad.send(event | {"data": {"key": 1, "session": None}})
    assert keypad.client.until(lambda: len(keypad.acks()) == 2)
    (fault,) = hall.await_events(
        "hall.device.fault", where=lambda event: event["data"]["code"] == "identity_conflict"
    )
    assert "kp-1" in json.dumps(fault)
    assert len(hall.events("hall.rating.quarantined")) == 1
