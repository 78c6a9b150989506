"""`hall gateway` as a process: what it says, its exit codes, and how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

from hall_tools.ports import free_port
from support.gateway import Gateway
from support.mosquitto import Mosquitto
from support.paho_client import PlainClient


def hall_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = "from hall_tools.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=30
    )


def test_the_ready_line_names_what_it_is_connected_to(broker: Mosquitto, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "gateway", broker.port)
    line = gateway.start()
    assert line.startswith(f"ready: hall demo, 5 devices at 127.0.0.1:{broker.port}, hall system")
    assert gateway.stop() == os.EX_OK
    assert "Traceback" not in gateway.log


def test_the_ready_line_names_where_battery_devices_find_it(
    broker: Mosquitto, tmp_path: Path
) -> None:
    port = free_port()
    tables = f'[coap]\nhost = "127.0.0.1"\nport = {port}\n'
    gateway = Gateway(tmp_path / "gateway", broker.port, tables=tables)
    assert f", CoAP at 127.0.0.1:{port} (UDP), hall system at " in gateway.start()
    assert gateway.stop() == os.EX_OK


def test_it_waits_for_brokers_that_are_not_there_and_can_be_stopped(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "gateway", free_port(), upstream_port=free_port())
    gateway.launch()
    gateway.await_log("device broker: cannot connect")
    gateway.await_log("hall broker: cannot connect")
    assert gateway.stop() == os.EX_OK


def test_it_starts_with_the_hall_system_away(broker: Mosquitto, tmp_path: Path) -> None:
    with Gateway(tmp_path / "gateway", broker.port, upstream_port=free_port()) as gateway:
        gateway.assert_running()


def test_a_second_gateway_on_one_store_is_refused(gateway: Gateway, broker: Mosquitto) -> None:
    second = hall_command("gateway", "run", "--config", str(gateway.config))
    assert second.returncode == os.EX_CANTCREAT
    assert second.stderr.startswith("hall: ")
    assert "Traceback" not in second.stderr
    gateway.assert_running()


def test_a_port_that_is_taken_by_another_program(broker: Mosquitto, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "gateway", broker.port, embedded=True)
    gateway.launch()
    assert gateway.wait() == os.EX_UNAVAILABLE
    assert f"hall: embedded broker on 127.0.0.1:{broker.port}: " in gateway.log


def test_wrong_settings_are_refused_before_anything_starts(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "gateway", free_port(), tables='[[device]]\nid = "kp-1"\n')
    for command in ("run", "check"):
        result = hall_command("gateway", command, "--config", str(gateway.config))
        assert result.returncode == os.EX_CONFIG
        assert "device[1].profile: is missing" in result.stderr
    assert not gateway.store.exists()


def test_check_says_what_the_settings_describe(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "gateway", free_port())
    checked = hall_command("gateway", "check", "--config", str(gateway.config))
    assert (checked.returncode, checked.stderr) == (os.EX_OK, "")
    assert "good: hall demo, 2 windows, 5 devices, external broker" in checked.stdout
    as_json = hall_command("gateway", "check", "--json", "--config", str(gateway.config))
    told = json.loads(as_json.stdout)
    assert told["ok"] is True
    assert told["settings"]["device"][0]["id"] == "disp-1"


def test_check_says_in_json_what_is_wrong(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "gateway", free_port(), tables='[[device]]\nid = "kp-1"\n')
    result = hall_command("gateway", "check", "--json", "--config", str(gateway.config))
    assert result.returncode == os.EX_CONFIG
    told = json.loads(result.stdout)
    assert told["ok"] is False
    assert "device[1].profile: is missing" in " ".join(told["errors"])


def test_a_store_that_cannot_be_opened(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "gateway", free_port())
    gateway.store.write_bytes(b"this is no database, it is a text of some length" * 50)
    result = hall_command("gateway", "run", "--config", str(gateway.config))
    assert result.returncode == os.EX_CANTCREAT
    assert "Traceback" not in result.stderr
    assert str(gateway.store) in result.stderr


def test_a_flood_of_foreign_topics_stops_nothing(gateway: Gateway, broker: Mosquitto) -> None:
    with PlainClient(broker.port, name="noise") as noise:
        for number in range(300):
            noise.publish_soon(f"device/v1/x{number}/up/event", b"\xff" * 100)
        noise.publish("device/v1/kp-1/up/reply", b"{}")
    gateway.assert_running()
    assert gateway.stop() == os.EX_OK
