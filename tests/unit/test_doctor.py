"""`hall doctor` on a whole installation, and on broken ones: each with its right advice."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hall_gateway.schema import open_store, owned
from hall_profiles import load
from hall_tools.doctor import mqtt_login, tls_psk
from hall_tools.doctor.examine import examine
from hall_tools.doctor.findings import Doctor, Finding, Site
from hall_tools.ports import free_port
from support.installed import HALL, Installation
from support.mosquitto import Mosquitto


@dataclass
class Place:
    """An installation with what runs on it and beside it; `gateway`: what a running one holds."""

    installation: Installation
    gateway: ExitStack
    upstream: Mosquitto

    def found(self, level: str) -> list[Finding]:
        return [found for _, found in self.installation.examine() if found.level == level]

    def only(self, level: str) -> Finding:
        """The one finding of that level."""
        found = self.found(level)
        assert len(found) == 1, found
        return found[0]

    def health(self, **figures: object) -> None:
        """What the gateway says of itself from now on."""
        machine = self.installation.machine
        good = {"at": machine.now_ms(), "brokers": {"devices": {"connected": True}}}
        machine.path("/run/hallkit/health.json").write_text(json.dumps(good | figures))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    # Nothing is retained there, and both brokers are near.
    monkeypatch.setattr(mqtt_login, "RETAINED_S", 0.1)
    with Mosquitto(tmp_path / "upstream") as upstream:
        installation = Installation(tmp_path / "root", monkeypatch, upstream.port)
        with installation.broker, ExitStack() as gateway:
            gateway.enter_context(owned(installation.store))
            store = gateway.enter_context(closing(open_store(installation.store, 8)))
            now = installation.machine.now_ms()
            for device in ("kp-1", "count-1"):  # both have spoken, and are online
                store.execute("INSERT INTO devices VALUES (?, 1, ?, NULL)", (device, now))
            place = Place(installation, gateway, upstream)
            place.health()
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


def unset_clock(place: Place) -> None:
    place.installation.machine.clock = None


def fill_disk(place: Place) -> None:
    place.installation.machine.free = 40 * 1024 * 1024


def little_room(place: Place) -> None:
    place.installation.machine.free = 205 * 1024 * 1024


def edit(old: str, new: str) -> Callable[[Place], None]:
    def change(place: Place) -> None:
        config = place.installation.config
        text = config.read_text()
        assert old in text
        config.write_text(text.replace(old, new))

    return change


def mode(name: str, bits: int) -> Callable[[Place], None]:
    return lambda place: (place.installation.config.parent / name).chmod(bits)


def open_wifi(place: Place) -> None:
    (place.installation.config.parent / "wifi.toml").write_text("")
    (place.installation.config.parent / "wifi.toml").chmod(0o644)


def stranger_owns(place: Place) -> None:
    place.installation.machine.users({"hallkit": 4242, "mosquitto": os.geteuid()})


def no_mosquitto_user(place: Place) -> None:
    place.installation.machine.users({"hallkit": os.geteuid()})


def stop_broker(place: Place) -> None:
    place.installation.broker.stop()


def stop_upstream(place: Place) -> None:
    place.upstream.stop()


def stop_gateway(place: Place) -> None:
    place.gateway.close()


def damage_key(place: Place) -> None:
    (place.installation.config.parent / "keys/kp-1.json").write_text("{")


def enrol_unheard(place: Place) -> None:
    """Enrolled anew, with mosquitto's files, and nobody told mosquitto."""
    place.installation.keys.enrol("kp-1", load("keypad-5"))
    place.installation.write_keys()


def enrol_unwritten(place: Place) -> None:
    place.installation.keys.enrol("kp-1", load("keypad-5"))


def revoke_unwritten(place: Place) -> None:
    place.installation.keys.revoke("kp-1")


def enrol_as_another(place: Place) -> None:
    place.installation.keys.enrol("kp-1", load("people-counter-beams"))
    place.installation.write_keys()
    place.installation.broker.reload()


def enrol_spare(place: Place) -> None:
    place.installation.keys.enrol("kp-9", load("keypad-5"))
    place.installation.write_keys()
    place.installation.broker.reload()


def no_password(place: Place) -> None:
    (place.installation.config.parent / "broker.password").unlink()


def other_password(place: Place) -> None:
    (place.installation.config.parent / "broker.password").write_text("other\n")


def not_a_broker(place: Place) -> None:
    """Another program has the devices' port."""
    place.installation.broker.stop()
    edit(f"device_port = {place.installation.psk_port}", f"device_port = {place.upstream.port}")(
        place
    )
    place.installation.broker.start()


def damage_store(place: Place) -> None:
    place.gateway.close()
    with place.installation.store.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3000)


def standing_still(place: Place) -> None:
    place.health(at=place.installation.machine.now_ms() - 120_000)


def hall_away(place: Place) -> None:
    brokers = {"hall": {"connected": False, "last_error": "the broker refuses: Not authorized"}}
    place.health(brokers=brokers)


FAULTS: dict[str, tuple[Callable[[Place], None], str, str]] = {
    "the clock": (unset_clock, "the clock is not set by a time server", "timedatectl set-ntp true"),
    "the disk": (fill_disk, "40 MiB free on its disk", "journalctl --vacuum-size"),
    "a slip in the settings": (
        edit('profile = "keypad-5"', 'profile = "keypad-6"'),
        "keypad-6",
        "hall gateway check --config",
    ),
    "no settings": (
        lambda place: place.installation.config.unlink(),
        "hall.toml: No such file",
        "run: sudo hall gateway setup",
    ),
    "keys open to others": (
        mode("keys/kp-1.json", 0o644),
        "kp-1.json: others than its owner may get at it (mode 0644)",
        "chmod 600",
    ),
    "the folder of keys open to others": (mode("keys", 0o755), "(mode 0755)", "chmod 700"),
    "a password open to others": (
        mode("broker.password", 0o640),
        "broker.password: others than its owner",
        "chmod 600",
    ),
    "the Wi-Fi's passwords open to others": (open_wifi, "wifi.toml: others than", "chmod 600"),
    "psk open to others": (mode("mosquitto/psk", 0o644), "psk: others than its", "chmod 600"),
    "keys of another user": (
        stranger_owns,
        "keys: user hallkit, who needs it, may not read it",
        "chown hallkit: ",
    ),
    "mosquitto not installed": (
        no_mosquitto_user,
        "there is no user mosquitto",
        "sudo apt-get install mosquitto",
    ),
    "mosquitto not running": (
        stop_broker,
        "Connection refused",
        "sudo systemctl restart mosquitto; see why: sudo journalctl -u mosquitto",
    ),
    "the gateway not running": (
        stop_gateway,
        "the gateway does not run",
        "sudo systemctl restart hallkit-gateway.service",
    ),
    "the gateway standing still": (
        standing_still,
        "made no progress for 12",
        "sudo systemctl restart hallkit-gateway.service",
    ),
    "the gateway not let in by the hall system": (
        hall_away,
        "not connected to the hall system's broker: the broker refuses: Not authorized",
        "see the finding on that broker",
    ),
    "the hall system away": (
        stop_upstream,
        "the hall system's broker at 127.0.0.1:",
        "check the network and [upstream]",
    ),
    "a password file that is not there": (
        no_password,
        "broker.password: password file: No such file",
        "run: sudo hall gateway setup",
    ),
    "a password that does not fit": (
        other_password,
        "does not let the gateway in: Not authorized",
        "it brings username, password_file and mosquitto/passwd in step",
    ),
    "a key file damaged": (damage_key, "kp-1.json: ", "enrol its device again"),
    "a new key that mosquitto was not told of": (
        enrol_unheard,
        "it refuses the key of kp-1",
        "sudo systemctl reload mosquitto",
    ),
    "a new key that was not written out": (
        enrol_unwritten,
        "psk has an old key of kp-1",
        "run: sudo hall gateway setup",
    ),
    "a revoked device that is still let in": (
        revoke_unwritten,
        "psk lets kp-1 in, which has no key or a revoked one",
        "run: sudo hall gateway setup",
    ),
    "a device that is another model": (
        enrol_as_another,
        "kp-1 is enrolled as people-counter-beams",
        "sudo hall enroll kp-1 --profile keypad-5 --window 1, and flash it",
    ),
    "no address for devices": (
        edit('device_host = "127.0.0.1"\n', ""),
        "does not say where devices find it",
        "device_host",
    ),
    "an address that is another machine's": (
        edit('device_host = "127.0.0.1"', 'device_host = "192.0.2.77"'),
        "192.0.2.77, which this machine has not now",
        "flash the devices again",
    ),
    "another program at the devices' port": (
        not_a_broker,
        "the devices' listener at 127.0.0.1:",
        "restart mosquitto",
    ),
    "the store's folder closed": (
        edit("/var/lib/hallkit/hall.db", "/var/lib/nowhere/hall.db"),
        "the store's folder is not there",
        "store.path",
    ),
    "a damaged store": (damage_store, "hall.db: damaged: ", "an SD card wears out"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_told_what_to_do_about(place: Place, name: str) -> None:
    spoil, text, advice = FAULTS[name]
    spoil(place)
    found = place.found("fault")
    matching = [fault for fault in found if text in fault.text]
    assert matching, found
    assert advice in matching[0].advice
    assert all(fault.advice for fault in found)


@pytest.mark.parametrize(
    "name",
    [
        "the clock",
        "the disk",
        "keys open to others",
        "the gateway standing still",
        "the hall system away",
        "a password that does not fit",
        "a new key that mosquitto was not told of",
        "a device that is another model",
        "no address for devices",
        "an address that is another machine's",
    ],
)
def test_one_cause_is_one_fault(place: Place, name: str) -> None:
    spoil, text, _ = FAULTS[name]
    spoil(place)
    assert text in place.only("fault").text


def quarantine(place: Place) -> None:
    place.health(quarantined=3)


def strangers(place: Place) -> None:
    place.health(refused={"unknown_device": 7})


def silent(place: Place) -> None:
    with sqlite3.connect(place.installation.store) as store:
        store.execute("UPDATE devices SET online = 0, seen = seen - 7200000 WHERE device = 'kp-1'")
    store.close()


def never(place: Place) -> None:
    with sqlite3.connect(place.installation.store) as store:
        store.execute("DELETE FROM devices WHERE device = 'kp-1'")
    store.close()


def other_firmware(place: Place) -> None:
    with sqlite3.connect(place.installation.store) as store:
        store.execute("""UPDATE devices SET state = '{"fw":"0.0.9"}' WHERE device = 'kp-1'""")
    store.close()


def foreign_listener(place: Place) -> None:
    machine = place.installation.machine
    machine.path("/etc/mosquitto/conf.d/test.conf").write_text("allow_anonymous true\n")


def hand_changed(place: Place) -> None:
    unit = place.installation.machine.path("/etc/systemd/system/hallkit-gateway.service")
    unit.write_text(unit.read_text() + "# mine\n")


def not_enabled(place: Place) -> None:
    wants = place.installation.machine.path("/etc/systemd/system/multi-user.target.wants")
    shutil.rmtree(wants)


def by_hand(place: Place) -> None:
    place.installation.machine.path("/run/hallkit/health.json").unlink()


def own_upstream(place: Place) -> None:
    installation = place.installation
    login = 'username = "gateway"\npassword_file = "broker.password"\n'
    installation.settings(installation.port, login + HALL)


WARNINGS: dict[str, tuple[Callable[[Place], None], str, str]] = {
    "little room": (little_room, "205 MiB free", "lower store.max_mb"),
    "events in quarantine": (quarantine, "3 events did not make sense", "journalctl"),
    "strangers": (strangers, "7 messages came from devices that are not in", "journalctl"),
    "a silent device": (silent, "kp-1: offline, last heard of 2 h ago", "hall diag"),
    "a device that never came": (never, "never heard of: kp-1", "is it flashed"),
    "other firmware": (other_firmware, "kp-1: has firmware 0.0.9", "hall flash"),
    "not enrolled": (
        edit(HALL, HALL + '[[device]]\nid = "kp-2"\nprofile = "keypad-5"\nwindow = "2"\n'
             '[[window]]\nid = "2"\n'),
        "not enrolled, so they cannot join: kp-2",
        "sudo hall enroll kp-2 --profile keypad-5 --window 2",
    ),
    "another's settings of mosquitto": (
        foreign_listener,
        "test.conf:1: allow_anonymous true: it may let others in",
        "remove the line",
    ),
    "a unit changed by hand": (hand_changed, "was changed by hand", "--dry-run"),
    "a unit not enabled": (not_enabled, "start hallkit-gateway.service at boot (not", "setup"),
    "a gateway started by hand": (by_hand, "was not started as a service", "systemctl start"),
    "no hall system": (own_upstream, "is this gateway's own broker", "[upstream]"),
}  # fmt: skip


@pytest.mark.parametrize("name", WARNINGS)
def test_a_warning_is_told_and_is_no_fault(place: Place, name: str) -> None:
    spoil, text, advice = WARNINGS[name]
    spoil(place)
    found = place.found("warning")
    matching = [warning for warning in found if text in warning.text]
    assert matching, found
    assert advice in matching[0].advice
    assert place.found("fault") == []


def test_a_spare_is_no_warning(place: Place) -> None:
    enrol_spare(place)
    assert place.found("warning") == place.found("fault") == []
    assert any(found.text.endswith("hall.toml: kp-9") for found in place.found("good"))


def test_a_device_that_cannot_join_is_not_waited_for(place: Place) -> None:
    edit(HALL, HALL + '[[device]]\nid = "c-2"\nprofile = "people-counter-beams"\nzone = "e"\n')(
        place
    )
    assert "c-2" in place.only("warning").text


def test_no_secret_is_told(place: Place) -> None:
    installation = place.installation
    keys = [installation.psk(device) for device in ("kp-1", "count-1")]
    password = (installation.config.parent / "broker.password").read_text().strip()
    enrol_unwritten(place)
    revoke_unwritten(place)
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
