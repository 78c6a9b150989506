"""Whole gateways whose surroundings fail: each says what is wrong, loses nothing, and goes on by
itself when the cause is gone.

Crashes and brokers that go away are in test_gateway_crash.py.
"""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.gateway import Gateway
from support.http_receiver import HttpReceiver
from support.mosquitto import Mosquitto
from support.plain_device import PlainDevice
from support.plain_hall import PlainHall
from support.small_disk import SmallDisk

SECRET = "whsec_" + "A" * 32
IMPATIENT = """
from hall_gateway import mqtt, mqtt_connection, service, webhooks
mqtt_connection.PUBACK_TIMEOUT_S = 1.0
mqtt.RETRY_MAX_S = 1.0
webhooks.RETRY_MAX_S = 1.0
service.DRAIN_S = 1.0
from hall_tools.cli import main
main()
"""
COUNTER = '[[device]]\nid = "count-1"\nprofile = "people-counter-beams"\nzone = "entrance"\n'


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker", settings=["max_queued_messages 0"]) as running:
        yield running


def passages(device: PlainDevice, count: int) -> None:
    for _ in range(count):
        device.emit("passage", {"dir": "in"})


def webhooks(folder: Path, **receivers: HttpReceiver) -> str:
    folder.mkdir()
    (folder / "secret").touch(0o600)
    (folder / "secret").write_text(SECRET)
    return COUNTER + "".join(
        f'[[webhook]]\nid = "{name}"\nurl = "{receiver.url}"\nsecret_file = "secret"\n'
        'timeout_s = 1\ntypes = ["hall.count.passage"]\n'
        for name, receiver in receivers.items()
    )


def test_webhooks_that_hang_and_fail_hold_up_nobody_and_get_everything(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with (
        HttpReceiver("hang") as hangs,
        HttpReceiver("fail") as fails,
        HttpReceiver() as good,
        PlainHall(broker.port) as hall,
        PlainDevice(broker.port, "count-1") as device,
    ):
        tables = webhooks(tmp_path / "gateway", hangs=hangs, fails=fails, good=good)
        gateway = Gateway(tmp_path / "gateway", broker.port, tables=tables, program=IMPATIENT)
        with gateway:
            passages(device, 60)
            device.deliver()
            hall.await_events("hall.count.passage", count=60)
            good.await_ids(device.ids)
            hangs.await_requests(1)
            fails.await_requests(1)
            gateway.await_log("webhook:hangs: no answer within 1 s; trying again")
            gateway.await_log("webhook:fails: HTTP 500; trying again")
            gateway.kill()
            gateway.start()
            hangs.mode = fails.mode = "take"
            for receiver in (hangs, fails):
                receiver.await_ids(device.ids)
            passages(device, 5)
            device.deliver()
            for receiver in (good, hangs, fails):
                receiver.await_ids(device.ids)
        repeated = len(good.ids) - len(set(good.ids))
        assert repeated <= 20  # webhooks.BATCH, after the kill


def test_an_orderly_end_hands_on_what_is_underway_and_is_held_up_by_no_sink(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with (
        HttpReceiver("hang") as hangs,
        HttpReceiver() as slow,
        PlainHall(broker.port) as hall,
        PlainDevice(broker.port, "count-1") as device,
        ThreadPoolExecutor(1) as pool,
    ):
        tables = webhooks(tmp_path / "gateway", hangs=hangs, slow=slow)
        tables = tables.replace("timeout_s = 1", "timeout_s = 60")
        gateway = Gateway(tmp_path / "gateway", broker.port, tables=tables, program=IMPATIENT)
        gateway.start()
        passages(device, 200)
        delivery = pool.submit(device.deliver, seconds=60)
        slow.await_requests(30)
        slow.mode = "hold"
        count = slow.requests
        slow.await_requests(count + 1)
        hangs.await_requests(1)
        began = time.monotonic()
        gateway.terminate()
        while gateway.store.with_name("control.sock").exists():  # until it is about to end
            time.sleep(0.01)
        gateway.assert_running()
        slow.release.set()
        assert gateway.wait() == 0
        assert time.monotonic() - began < 40.0, "it waited for the webhook's 60 s"
        assert "ended after 1 s with messages underway" in gateway.log
        hangs.mode = slow.mode = "take"
        with gateway:
            delivery.result(60)
            hall.await_events("hall.count.passage", count=200)
            for receiver in (slow, hangs):
                receiver.await_ids(device.ids)
        # Each once, and in order, on all three ways.
        assert slow.ids == hangs.ids == device.ids
        assert hall.repeats() == {}
    assert "Traceback" not in gateway.log


@contextmanager
def silent_broker(port: int) -> Iterator[None]:
    """It accepts every MQTT connection and subscription, and nothing else is ever answered."""
    listener = socket.create_server(("127.0.0.1", port))

    def serve(client: socket.socket) -> None:
        with client:
            if client.recv(1024):
                client.sendall(b"\x20\x02\x00\x00")
            while data := client.recv(4096):
                if data[0] == 0x82:
                    client.sendall(b"\x90\x03" + data[2:4] + b"\x01")

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            clients.append(client)
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    clients: list[socket.socket] = []
    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for client in clients:
            with client, suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)


def await_error(gateway: Gateway, error: str | None, seconds: float = 60.0) -> None:
    """Until the store says that of the hall system's link."""
    deadline = time.monotonic() + seconds
    while (told := gateway.rows("SELECT error FROM sinks")) != [(error,)]:
        assert time.monotonic() < deadline, told
        time.sleep(0.02)


def test_a_hall_broker_that_accepts_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    upstream = Mosquitto(tmp_path / "upstream", settings=["max_queued_messages 0"])
    gateway = Gateway(
        tmp_path / "gateway",
        broker.port,
        upstream_port=upstream.port,
        tables=COUNTER,
        program=IMPATIENT,
    )
    with PlainDevice(broker.port, "count-1") as device:
        with silent_broker(upstream.port):
            gateway.start()
            passages(device, 30)
            device.deliver()  # devices are served all the same
            gateway.await_log("hall broker: a PUBACK is missing for 1 s; trying again")
            gateway.assert_running()
            await_error(gateway, "a PUBACK is missing for 1 s")
        with upstream, PlainHall(upstream.port) as hall:
            arrived = hall.await_events("hall.count.passage", count=30, seconds=60)
            assert [event["id"] for event in arrived] == device.ids
            await_error(gateway, None)
            assert gateway.stop() == 0


def test_a_disk_that_is_full_takes_nothing_and_goes_on_when_there_is_room(
    tmp_path: Path, broker: Mosquitto
) -> None:
    gateway = Gateway(tmp_path / "gateway", broker.port, tables=COUNTER, store={"max_mb": 64})
    with SmallDisk(tmp_path / "gateway" / "disk") as disk:
        settings = gateway.config.read_text().replace('"hall.db"', '"disk/hall.db"')
        gateway.config.write_text(settings)
        with (
            PlainHall(broker.port) as hall,
            PlainDevice(broker.port, "count-1") as device,
            gateway,
        ):
            passages(device, 20)
            device.deliver()
            disk.fill(gateway.pid)
            while not (stuck(device) and "nothing is acked until it can" in gateway.log):
                passages(device, 64)
            acked = device.acked
            assert "the store cannot commit (" in gateway.log
            disk.make_room()
            device.deliver()
            assert device.acked == len(device.journal) > acked
            count = len(device.journal)
            arrived = hall.await_events("hall.count.passage", count=count)
            assert [event["id"] for event in arrived] == device.ids
            gateway.await_log("the store takes events again")


def stuck(device: PlainDevice) -> bool:
    """Whether the gateway does not ack within 2 s what the device sends."""
    try:
        device.deliver(seconds=2)
    except AssertionError:
        return True
    return False
