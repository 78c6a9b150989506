"""`hall doctor` on a whole installation, and as a command."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hall_profiles import load
from hall_tools.doctor import mqtt_login, tls_psk
from hall_tools.doctor.examine import examine
from hall_tools.doctor.findings import Doctor, Site
from hall_tools.ports import free_port
from support.doctored import Place, whole


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with whole(tmp_path, monkeypatch) as place:
        yield place


def test_a_whole_installation_has_no_fault_and_no_warning(place: Place, tmp_path: Path) -> None:
    """With a real gateway, and what it says of itself."""
    place.gateway.close()
    place.installation.machine.path("/run/hallkit/health.json").unlink()
    with place.installation.gateway(tmp_path / "gateway"):
        place.installation.await_health(devices=True, hall=True)
        found = [found for _, found in place.installation.examine()]
        place.upstream.stop()
        place.installation.await_health(devices=True, hall=False)
        without = place.found("fault")
    assert [finding for finding in found if finding.level != "good"] == []
    assert "the gateway is not connected to the hall system's broker: " in without[0].text
    assert "Connection refused" in without[1].text
    texts = [finding.text for finding in found]
    assert any(text.endswith("lets the gateway in (mosquitto version 2.0.11)") for text in texts)
    assert any("takes the keys of 2 devices" in text for text in texts)
    assert any(text.startswith("the gateway works (process") for text in texts)
    assert "2 of 2 devices are online" in texts


def test_nothing_is_changed_or_left_behind(place: Place) -> None:
    root = place.installation.machine.root
    for stopped in (False, True):
        if stopped:
            place.gateway.close()
        before = {path: path.lstat().st_mtime_ns for path in root.rglob("*")}
        place.installation.examine()
        after = {path: path.lstat().st_mtime_ns for path in root.rglob("*")}
        changed = {path.name for path in after if before.get(path) != after[path]}
        assert changed <= {"mosquitto.log", "hall.db-shm"}


def test_no_secret_is_told(place: Place) -> None:
    installation = place.installation
    keys = [installation.psk(device) for device in ("kp-1", "count-1")]
    password = (installation.config.parent / "broker.password").read_text().strip()
    installation.keys.enrol("kp-1", load("keypad-5"))
    installation.keys.revoke("count-1")
    told = repr(installation.examine())
    assert not any(secret in told for secret in (*keys, password))


def hall_doctor(*words: str) -> subprocess.CompletedProcess[str]:
    program = "from hall_tools.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "doctor", *words],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_on_a_hall_of_ones_own(tmp_path: Path) -> None:
    """No users and services then; nothing runs either."""
    port = free_port()
    config = tmp_path / "hall.toml"
    config.write_text(
        f'hall = "demo"\n[store]\npath = "hall.db"\n[broker]\nport = {port}\n'
        f"[upstream]\nport = {port}\n"
    )
    done = hall_doctor("--config", str(config))
    assert done.returncode == os.EX_UNAVAILABLE
    assert f"FAULT    the devices' broker at 127.0.0.1:{port}: Connection refused\n" in done.stdout
    assert "no user hallkit" not in done.stdout
    assert done.stderr == ""
    told = json.loads(hall_doctor("--config", str(config), "--json").stdout)
    assert told["ok"] is False
    faults = {found["check"] for found in told["findings"] if found["level"] == "fault"}
    assert {"broker", "gateway", "upstream"} <= faults
    assert all(found["advice"] for found in told["findings"] if found["level"] != "good")


def test_the_command_without_settings(tmp_path: Path) -> None:
    done = hall_doctor("--config", str(tmp_path / "hall.toml"))
    assert done.returncode == os.EX_UNAVAILABLE
    assert "Traceback" not in done.stderr
    assert f"FAULT    {tmp_path}/hall.toml: No such file or directory" in done.stdout


def test_what_answers_need_not_be_a_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing is a fault, and never a hang."""
    monkeypatch.setattr(mqtt_login, "ANSWER_S", 0.3)
    monkeypatch.setattr(tls_psk, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        config = tmp_path / "hall.toml"
        config.write_text(
            f'hall = "demo"\n[store]\npath = "hall.db"\n[broker]\nport = {port}\n'
            f'device_host = "127.0.0.1"\ndevice_port = {port}\n[upstream]\nport = {port}\n'
        )
        found = dict(examine(Site(config, Doctor())))
    for check in ("broker", "listener", "upstream"):
        assert f"127.0.0.1:{port}: no answer within " in found[check].text


def test_the_machines_own_clock() -> None:
    error = Doctor().clock_error_s()
    assert error is None or 0 <= error < 16
