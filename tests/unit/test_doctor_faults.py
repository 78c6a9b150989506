"""`hall doctor` on broken installations: each fault with its right advice."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hall_profiles import load
from hall_tools.gateway_setup.firewall import NFT
from hall_tools.gateway_setup.steps import stamped
from support.doctored import Place, edit, whole


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with whole(tmp_path, monkeypatch) as place:
        yield place


def unset_clock(place: Place) -> None:
    place.installation.machine.clock = None


def fill_disk(place: Place) -> None:
    place.installation.machine.free = 40 * 1024 * 1024


def mode(name: str, bits: int) -> Callable[[Place], None]:
    return lambda place: (place.installation.config.parent / name).chmod(bits)


def open_wifi(place: Place) -> None:
    (place.installation.config.parent / "wifi.toml").write_text("")
    (place.installation.config.parent / "wifi.toml").chmod(0o644)


def stranger_owns(place: Place) -> None:
    place.installation.machine.users({"hallkit": 4242, "mosquitto": os.geteuid()})


def no_mosquitto_user(place: Place) -> None:
    place.installation.machine.users({"hallkit": os.geteuid()})


def older_access(place: Place) -> None:
    """As an earlier Hallkit wrote it."""
    path = place.installation.broker_folder / "acl.gateway"
    path.write_text(stamped(without_the_mark(path)))


def own_access(place: Place) -> None:
    path = place.installation.broker_folder / "acl.gateway"
    path.write_text(without_the_mark(path))


def without_the_mark(path: Path) -> str:
    lines = path.read_text().splitlines(keepends=True)[1:]
    return "".join(line for line in lines if "gateway/mark" not in line)


def no_firewall(place: Place) -> None:
    place.installation.machine.path(NFT).unlink()


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


def forget_the_folder(place: Place) -> None:
    main = place.installation.machine.path("/etc/mosquitto/mosquitto.conf")
    main.write_text(main.read_text().replace("include_dir", "# include_dir"))


def health_is_no_file(place: Place) -> None:
    path = place.installation.machine.path("/run/hallkit/health.json")
    path.unlink()
    path.mkdir()


FAULTS: dict[str, tuple[Callable[[Place], None], str, str]] = {
    "the clock": (unset_clock, "the clock is not set by a time server", "timedatectl set-ntp true"),
    "the disk": (fill_disk, "40 MiB free on its disk", "journalctl --vacuum-size"),
    "a slip in the settings": (
        edit('profile = "keypad-5"', 'profile = "keypad-x"'),
        "keypad-x",
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
    "mosquitto that does not read what setup wrote": (
        forget_the_folder,
        "mosquitto.conf: does not include /etc/mosquitto/conf.d, so mosquitto knows nothing",
        "add the line: include_dir /etc/mosquitto/conf.d; then: sudo systemctl restart mosquitto",
    ),
    "something that cannot be read": (
        health_is_no_file,
        "health.json: Is a directory",
        "run this with sudo; if that does not help, check the disk",
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
    "an access list of an earlier version": (
        older_access,
        "acl.gateway lacks 'topic readwrite device/v1/gateway/mark', so mosquitto does not let",
        "run: sudo hall gateway setup: it writes what this version needs",
    ),
    "an access list changed by hand": (
        own_access,
        "acl.gateway lacks 'topic readwrite device/v1/gateway/mark', so mosquitto does not let",
        "or move it away, and run: sudo hall gateway setup",
    ),
    "no firewall": (no_firewall, "keeps all devices waiting", "sudo apt-get install nftables"),
    "a password that does not fit": (
        other_password,
        "does not let the gateway in: Not authorized",
        "it brings username, password_file and mosquitto/passwd in step",
    ),
    "a key file damaged": (damage_key, "move it away and enrol kp-1 again", "and flash it"),
    "a revocation that broke off": (
        revoke_unwritten,
        "kp-1 is revoked only by halves",
        "run: sudo hall revoke kp-1",
    ),
    "a revocation by hand": (
        edit('profile = "keypad-5"\n', 'profile = "keypad-5"\nrevoked = true\n'),
        "kp-1 is revoked only by halves",
        "run: sudo hall revoke kp-1",
    ),
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
    place.told("fault", text, advice)


@pytest.mark.parametrize(
    "name",
    [
        "the clock",
        "the disk",
        "keys open to others",
        "a key file damaged",
        "a revocation by hand",
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


@pytest.mark.parametrize("spoil", [mode("keys/kp-1.json", 0o644), damage_key, revoke_unwritten])
def test_no_advice_contradicts_the_fault(place: Place, spoil: Callable[[Place], None]) -> None:
    """That setup cannot look, or that a revoked device be enrolled."""
    spoil(place)
    for found in place.found("warning"):
        assert "setup would change" in found.text


def test_a_damaged_store_is_moved_away_with_its_log(place: Place) -> None:
    """The log of the old store would be played into the new one."""
    damage_store(place)
    folder = place.installation.store.parent
    advice = " ".join(found.advice for found in place.found("fault"))
    command = re.search(r"sudo sh -c '(mv [^']*)'", advice)
    assert command is not None
    (folder / "hall.db-wal").write_bytes(b"log")
    (folder / "damaged").mkdir()
    subprocess.run(["sh", "-c", command[1]], check=True)
    assert [path.name for path in folder.iterdir()] == ["damaged"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"at": "noon"}'])
def test_a_health_file_that_says_nothing(place: Place, content: str) -> None:
    place.installation.machine.path("/run/hallkit/health.json").write_text(content)
    assert "it was not started as a service" in place.only("warning").text
