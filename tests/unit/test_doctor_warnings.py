"""`hall doctor` on installations that work, though somebody ought to look."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hall_gateway import store_look
from hall_profiles import load
from support.doctored import Place, edit, whole
from support.installed import HALL


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with whole(tmp_path, monkeypatch) as place:
        yield place


def little_room(place: Place) -> None:
    place.installation.machine.free = 205 * 1024 * 1024


def enrol_spare(place: Place) -> None:
    place.installation.keys.enrol("kp-9", load("keypad-5"))
    place.installation.write_keys()
    place.installation.broker.reload()


def quarantine(place: Place) -> None:
    place.health(quarantined=3)


def strangers(place: Place) -> None:
    place.health(refused={"unknown_device": 7})


def change(place: Place, statement: str) -> None:
    with sqlite3.connect(place.installation.store) as store:
        store.execute(statement)
    store.close()


def heard(ms: int, *, online: bool) -> Callable[[Place], None]:
    """kp-1 was last heard of so long ago."""
    told = f"online = {int(online)}, seen = seen - {ms}"
    return lambda place: change(place, f"UPDATE devices SET {told} WHERE device = 'kp-1'")


def never(place: Place) -> None:
    change(place, "DELETE FROM devices WHERE device = 'kp-1'")


def firmware(version: str) -> Callable[[Place], None]:
    state = json.dumps({"fw": version})
    return lambda place: change(
        place, f"UPDATE devices SET state = '{state}' WHERE device = 'kp-1'"
    )


def waiting(place: Place) -> None:
    place.health(settings={"taken": 0, "refused": 0, "pending": ["broker", "store"]})


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
    "offline since now": (
        heard(5_000, online=False),
        "kp-1: offline, last heard of less than a minute ago",
        "hall diag",
    ),
    "offline for minutes": (
        heard(95 * 60_000, online=False),
        "kp-1: offline, last heard of 95 minutes ago",
        "hall diag",
    ),
    "offline for hours": (
        heard(2 * 3_600_000, online=False),
        "kp-1: offline, last heard of 2 hours ago",
        "hall diag",
    ),
    "a silent device": (
        heard(50 * 3_600_000, online=True),
        "kp-1: connected, but last heard of 2 days ago",
        "hall diag",
    ),
    "a device that never came": (never, "never heard of: kp-1", "is it flashed"),
    "older firmware": (firmware("0.0.10"), "kp-1: has firmware 0.0.10, this", "hall flash"),
    "newer firmware": (firmware("0.10.0"), "this gateway is 0.1.0, which is older", "up to date"),
    "settings that wait": (
        waiting,
        "waits for the gateway's next start: broker, store",
        "sudo systemctl restart hallkit-gateway.service",
    ),
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
    place.told("warning", text, advice)
    assert place.found("fault") == []


def test_a_spare_is_no_warning(place: Place) -> None:
    enrol_spare(place)
    assert place.found("warning") == place.found("fault") == []
    assert any(found.text.endswith("hall.toml: kp-9") for found in place.found("good"))


def test_a_revoked_device_is_no_warning(place: Place) -> None:
    """Least of all that it be enrolled again: it may be stolen."""
    place.installation.keys.revoke("kp-1")
    place.installation.write_keys()
    place.installation.broker.reload()
    edit('profile = "keypad-5"\n', 'profile = "keypad-5"\nrevoked = true\n')(place)
    assert place.found("warning") == place.found("fault") == []


def test_a_device_that_cannot_join_is_not_waited_for(place: Place) -> None:
    edit(HALL, HALL + '[[device]]\nid = "c-2"\nprofile = "people-counter-beams"\nzone = "e"\n')(
        place
    )
    assert "c-2" in place.only("warning").text


def test_a_store_too_large_to_check_is_said_to_be(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Over(threading.Timer):
        """The time is over as soon as the check has begun."""

        def start(self) -> None:
            connection: sqlite3.Connection = self.function.__self__  # pyright: ignore[reportFunctionMemberAccess]
            connection.set_progress_handler(lambda: 1, 1)
            super().start()

    monkeypatch.setattr(store_look.threading, "Timer", Over)
    assert place.found("fault") == place.found("warning") == []
    (told,) = [found.text for found in place.found("good") if "MiB used" in found.text]
    assert told.endswith(
        "too large to check all of it within 20 s, as the gateway does at its start"
    )
