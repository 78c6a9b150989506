"""Whole gateways that crash, and brokers that go away: nothing lost, nothing doubled.

Devices and the hall system are plain clients that keep to the contract. The hall system counts
CloudEvents by id; the same id may come again after a crash between a publish and the cursor's
step, with the same bytes, and that is reported and bounded, not forbidden.
"""

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hall_gateway.outbox_publisher import WINDOW
from support.gateway import Gateway
from support.mosquitto import Mosquitto
from support.plain_device import PlainDevice
from support.plain_hall import PlainHall

KILLS = 12
EVENTS = 400


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker", settings=["max_queued_messages 0"]) as running:
        yield running


def passages(device: PlainDevice, count: int) -> None:
    for number in range(count):
        device.emit("passage", {"dir": "in" if number % 2 else "out"})


def same_once(hall: PlainHall, devices: list[PlainDevice], seconds: float = 60) -> None:
    """Exactly the devices' events are at the hall system, each device's in its order."""
    expected = sum(len(device.journal) for device in devices)
    arrived = hall.await_events("hall.count.passage", count=expected, seconds=seconds)
    ids = [event["id"] for event in arrived]
    for device in devices:
        assert [id for id in ids if id.startswith(f"{device.name}/")] == device.ids
    assert len(ids) == expected
    directions = {event["id"]: event["data"]["direction"] for event in arrived}
    for device in devices:
        told = [event["data"]["dir"] for event in device.journal]
        assert [directions[id] for id in device.ids] == told


COUNTERS = """
[[device]]
id = "count-1"
profile = "people-counter-beams"
zone = "entrance"
[[device]]
id = "count-2"
profile = "people-counter-beams"
zone = "exit"
"""


def test_killed_at_random_moments_under_load(tmp_path: Path, broker: Mosquitto) -> None:
    rng = random.Random(7)
    gateway = Gateway(tmp_path / "gateway", broker.port, tables=COUNTERS)
    with (
        gateway,
        PlainHall(broker.port) as hall,
        PlainDevice(broker.port, "count-1") as first,
        PlainDevice(broker.port, "count-2") as second,
        ThreadPoolExecutor(2) as pool,
    ):
        devices = [first, second]
        stopped = threading.Event()

        def press_on(device: PlainDevice) -> None:
            """Walk people through, eight at a time, until the last kill is survived."""
            while not stopped.is_set():
                passages(device, 8)
                device.deliver(seconds=60)

        walking = [pool.submit(press_on, device) for device in devices]
        repeated = 0
        for kill in range(1, KILLS + 1):
            before = sum(device.acked for device in devices)
            assert hall.client.until(lambda: hall.gateway_online)  # so that it has its last will
            time.sleep(rng.uniform(0.0, 0.4))  # the moment of the kill is what is drawn
            gateway.kill()
            # The last will comes after everything that the gateway published.
            assert hall.client.until(lambda: not hall.gateway_online)
            repeated, earlier = sum(hall.repeats().values()), repeated
            assert repeated - earlier <= WINDOW, f"after kill {kill}"
            gateway.start()
            assert hall.client.until(lambda seen=before: sum(d.acked for d in devices) > seen, 30)
        stopped.set()
        for walk in walking:
            walk.result(60)
        same_once(hall, devices)
        repeats = hall.repeats()
        assert sum(repeats.values()) - repeated <= WINDOW
        print(f"{sum(len(d.journal) for d in devices)} events, {KILLS} kills, {repeats=}")
    assert "Traceback" not in gateway.log


def test_killed_between_receive_and_commit(tmp_path: Path, broker: Mosquitto) -> None:
    """A lock on the store holds the gateway at its commit: no ack until then, nothing lost."""
    gateway = Gateway(tmp_path / "gateway", broker.port, tables=COUNTERS)
    with (
        gateway,
        PlainHall(broker.port) as hall,
        PlainDevice(broker.port, "count-1") as device,
    ):
        passages(device, 1)
        device.deliver()
        with locked(gateway.store):
            passages(device, 8)
            for event in device.journal[1:]:
                device.send(event)
            assert not device.client.until(lambda: device.acked > 1, seconds=1)
            gateway.kill()
        gateway.start()
        device.await_ack(9)  # by the broker's redelivery: the device did not send again
        same_once(hall, [device])


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Hold the store's write lock, so that nobody else can commit."""
    connection = sqlite3.connect(store, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


def test_an_orderly_end_under_load_doubles_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    gateway = Gateway(tmp_path / "gateway", broker.port, tables=COUNTERS)
    with (
        gateway,
        PlainHall(broker.port) as hall,
        PlainDevice(broker.port, "count-1") as device,
        ThreadPoolExecutor(1) as pool,
    ):
        passages(device, 300)
        delivery = pool.submit(device.deliver)
        for fraction in (4, 2):
            assert hall.client.until(lambda part=fraction: device.acked >= 300 // part)
            assert gateway.stop() == 0
            gateway.start()
        delivery.result(60)
        same_once(hall, [device])
        assert hall.repeats() == {}


def test_the_upstream_broker_is_down_and_the_gateway_killed_meanwhile(
    tmp_path: Path, broker: Mosquitto
) -> None:
    settings = ["max_queued_messages 0"]
    upstream = Mosquitto(tmp_path / "upstream", persistence=True, settings=settings)
    gateway = Gateway(
        tmp_path / "gateway", broker.port, upstream_port=upstream.port, tables=COUNTERS
    )
    with upstream, PlainHall(upstream.port) as hall, PlainDevice(broker.port, "count-1") as device:
        upstream.stop()
        with gateway:
            passages(device, EVENTS)
            device.deliver()
            before = resident_kb(gateway.pid)
            passages(device, EVENTS)
            device.deliver()
            assert resident_kb(gateway.pid) - before < 2048
            gateway.kill()
            gateway.start()
            passages(device, 10)
            device.deliver()
            upstream.start()
            hall.client.await_connected()
            same_once(hall, [device])
            assert [event["id"] for event in hall.events("hall.count.passage")] == device.ids


def test_the_upstream_broker_goes_away_while_events_flow(tmp_path: Path, broker: Mosquitto) -> None:
    settings = ["max_queued_messages 0"]
    upstream = Mosquitto(tmp_path / "upstream", persistence=True, settings=settings)
    gateway = Gateway(
        tmp_path / "gateway", broker.port, upstream_port=upstream.port, tables=COUNTERS
    )
    with (
        upstream,
        PlainHall(upstream.port) as hall,
        gateway,
        PlainDevice(broker.port, "count-1") as device,
    ):
        for _ in range(3):
            passages(device, 100)
            device.deliver()
            upstream.stop()
            passages(device, 100)
            device.deliver()
            upstream.start()
        hall.client.await_connected()
        same_once(hall, [device])
        assert sum(hall.repeats().values()) <= 3 * WINDOW


def test_the_devices_broker_loses_everything(tmp_path: Path) -> None:
    """No persistence: what it had acknowledged to a device is gone, so the device sends again."""
    devices = Mosquitto(tmp_path / "devices")
    with (
        devices,
        Mosquitto(tmp_path / "upstream") as upstream,
        Gateway(tmp_path / "gateway", devices.port, upstream_port=upstream.port, tables=COUNTERS),
        PlainHall(upstream.port) as hall,
        PlainDevice(devices.port, "count-1") as device,
        ThreadPoolExecutor(1) as pool,
    ):
        passages(device, 600)
        delivery = pool.submit(device.deliver)
        for part in (100, 300):
            assert hall.client.until(lambda least=part: device.acked >= least)
            devices.kill()
            devices.start()
        delivery.result(90)
        same_once(hall, [device])
        assert hall.repeats() == {}


def test_a_full_store_acks_nothing_and_goes_on_when_there_is_space(
    tmp_path: Path, broker: Mosquitto
) -> None:
    settings = ["max_queued_messages 0"]
    upstream = Mosquitto(tmp_path / "upstream", persistence=True, settings=settings)
    gateway = Gateway(
        tmp_path / "gateway",
        broker.port,
        upstream_port=upstream.port,
        tables=COUNTERS,
        store={"max_mb": 1},
    )
    with upstream, PlainHall(upstream.port) as hall, PlainDevice(broker.port, "count-1") as device:
        upstream.stop()
        with gateway:
            while not (stuck(device) and "nothing new is acked until it is not" in gateway.log):
                passages(device, 64)
            acked = device.acked
            upstream.start()
            device.deliver()
            assert device.acked == len(device.journal) > acked
            same_once(hall, [device])


def stuck(device: PlainDevice) -> bool:
    """Whether the gateway does not ack within 2 s what the device sends."""
    try:
        device.deliver(seconds=2)
    except AssertionError:
        return True
    return False


def resident_kb(pid: int) -> int:
    """Resident memory of a process (proc(5), VmRSS)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"no VmRSS for {pid}")
