"""A backup of a gateway under load, put back after a crash: everything adds up."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.gateway import Gateway
from support.mosquitto import Mosquitto
from support.plain_device import PlainDevice
from support.plain_hall import PlainHall

# The one counter passes on more people than a hall of them: as much as the gateway can take.
COUNTER = """
[limits]
burst = 1000000
[[device]]
id = "count-1"
profile = "people-counter-beams"
zone = "entrance"
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker", settings=["max_queued_messages 0"]) as running:
        yield running


def hall(gateway: Gateway, *arguments: str) -> str:
    program = "from hall_tools.cli import main; main()"
    command = [sys.executable, "-c", program, "gateway", *arguments]
    done = subprocess.run(
        [*command, "--config", str(gateway.config)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_backup_under_load_then_crash_then_restore(tmp_path: Path, broker: Mosquitto) -> None:
    gateway = Gateway(tmp_path / "gateway", broker.port, tables=COUNTER)
    file = tmp_path / "hall.tar"
    with (
        gateway,
        PlainHall(broker.port) as system,
        PlainDevice(broker.port, "count-1") as device,
        ThreadPoolExecutor(1) as pool,
    ):
        stop = threading.Event()

        def walk() -> None:
            while not stop.is_set():
                for number in range(8):
                    device.emit("passage", {"dir": "in" if number % 2 else "out"})
                device.deliver(seconds=60)

        walking = pool.submit(walk)
        assert system.client.until(lambda: device.acked >= 100, 60)
        before = device.acked
        hall(gateway, "backup", "--to", str(file))
        after = device.acked
        assert system.client.until(lambda: device.acked >= after + 100, 60)
        stop.set()
        walking.result(60)
        system.await_events("hall.count.passage", count=len(device.journal), seconds=60)
        gateway.kill()
        hall(gateway, "restore", str(file))
        ((kept, last),) = gateway.rows("SELECT count(*), max(seq) FROM events")
        assert kept == last  # one moment, without a gap
        assert before <= int(str(last)) <= after + 8
        gateway.start()
        # Devices tell by themselves where they are: what is missing since the backup is noted.
        journal = {"epoch": device.epoch, "acked": device.acked, "next": device.acked + 1}
        device.state(journal=journal | {"dropped": 0, "torn": 0})
        for _ in range(8):
            device.emit("passage", {"dir": "in"})
        device.deliver(seconds=60)
        system.await_events("hall.count.passage", count=len(device.journal), seconds=60)
        # The sink's cursor is the backup's: what came twice came with the same id and bytes.
        assert {event["id"] for event in system.events("hall.count.passage")} == set(device.ids)
        assert gateway.rows("SELECT count(*) FROM quarantine") == [(0,)]
        holes = gateway.rows("SELECT first, last, reason FROM holes")
        assert holes == [(int(str(last)) + 1, device.acked - 8, "acked_by_earlier_store")]
        print(f"{before} acked, then backup with {last}, then {len(device.journal)} in all")
    assert "Traceback" not in gateway.log
