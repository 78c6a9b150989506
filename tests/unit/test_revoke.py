"""`hall revoke` and `hall replace`: what they write, refuse and say, and telling the broker.

What a running broker and gateway make of it: tests/contract/test_enrolment.py.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hall_gateway.config_links import BrokerConfig
from hall_tools import cli
from hall_tools.device_broker import Told, cut, tell
from hall_tools.errors import UserError
from hall_tools.gateway_setup.broker_files import differences
from hall_tools.ports import free_port
from support.enrolling import Hall
from typer.testing import CliRunner


@pytest.fixture
def hall(tmp_path: Path) -> Hall:
    return Hall(tmp_path)


def test_revoked(hall: Hall) -> None:
    hall.run("enroll", "kp-1", "--profile", "keypad-5", "--window", "1")
    hall.run("enroll", "kp-2", "--profile", "keypad-3", "--window", "2")
    for _ in range(2):  # and once more
        assert hall.told("revoke", "kp-1") == {"revoked": ["kp-1"], "broker": "not running"}
        assert hall.added() == ["revoked = true"]
        assert hall.psk() == ["kp-2"]
        keys = hall.keys.get("kp-1")
        assert keys is not None
        assert (keys.psk, keys.revoked is None) == (None, False)
    # Its place is free for the same board, or for another keypad.
    hall.run("enroll", "kp-1", "--profile", "keypad-5", "--window", "1")
    assert hall.config.read_text("utf-8") == hall.before
    hall.run("revoke", "kp-1")
    hall.run("enroll", "kp-9", "--profile", "keypad-5", "--window", "1")
    error = hall.refused("enroll", "kp-1", "--profile", "keypad-5", "--window", "1")
    assert 'window "1" has the keypad' in error


def test_revoking_what_is_not_there(hall: Hall) -> None:
    hall.run("enroll", "spare-1", "--profile", "keypad-5", "--spare")
    error = hall.refused("revoke", "kp-1", "kp-7")
    assert error.startswith("kp-7: is no device of this hall; nothing was done")
    assert "disp-1, disp-2, floor-1, kp-1, kp-2, spare-1" in error
    hall.run("revoke", "spare-1", "floor-1")  # without keys; without a place
    assert hall.added() == ["revoked = true"]


def test_replaced(hall: Hall) -> None:
    hall.run("enroll", "floor-1", "--profile", "wet-floor-mains", "--zone", "entrance")
    hall.run("enroll", "floor-9", "--profile", "wet-floor-mains", "--spare")
    assert hall.config.read_text("utf-8") == hall.before
    told = hall.told("replace", "floor-1", "--with", "floor-9")
    assert told == {
        "device": "floor-9",
        "replaces": "floor-1",
        "profile": "wet-floor-mains",
        "window": None,
        "zone": "entrance",
        "settings": {"dry_after_s": 600},
        "broker": "not running",
    }
    text = hall.config.read_text("utf-8")
    assert text == hall.before.replace(
        'id = "floor-1"\nprofile = "wet-floor-mains"\nzone = "entrance"\n'
        "settings = { dry_after_s = 600 }\n",
        'id = "floor-9"\nprofile = "wet-floor-mains"\nzone = "entrance"\n'
        'settings = { dry_after_s = 600 }\nreplaces = "floor-1"\n',
    )
    assert hall.psk() == ["floor-9"]
    assert hall.told("replace", "floor-1", "--with", "floor-9") == told  # it may have broken off
    # The old board is mended, and goes elsewhere.
    hall.run("enroll", "floor-1", "--profile", "wet-floor-mains", "--zone", "exit")
    assert "\nreplaces" not in hall.config.read_text("utf-8")
    assert hall.psk() == ["floor-1", "floor-9"]


def test_a_stolen_device_is_replaced_later(hall: Hall) -> None:
    hall.run("revoke", "kp-1")
    hall.run("enroll", "kp-9", "--profile", "keypad-5", "--spare")
    output = hall.run("replace", "kp-1", "--with", "kp-9")
    assert output.startswith("kp-9: keypad-5 at window 1, in place of kp-1\nkp-1: revoked\n")
    assert "\nrevoked" not in hall.config.read_text("utf-8")


def test_a_person_is_told_of_settings_that_the_board_does_not_have(hall: Hall) -> None:
    hall.run("enroll", "floor-9", "--profile", "wet-floor-mains", "--spare")
    output = hall.run("replace", "floor-1", "--with", "floor-9")
    assert "flash floor-9 once more, for the settings of its place: dry_after_s = 600" in output


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("kp-7", "kp-9", "kp-7: has no place in"),
        ("kp-1", "kp-2", "kp-2: stands at window 2 already; take a spare"),
        (
            "kp-1",
            "kp-8",
            "kp-8: was never enrolled; first: hall enroll kp-8 --profile keypad-5 --sp",
        ),
        ("kp-2", "kp-9", "kp-9: is a keypad-5, and the place of kp-2 needs a keypad-3"),
        ("kp-1", "gone", "gone: is revoked; first: hall enroll gone --profile keypad-5 --spare"),
        ("kp-1", "kp-1", "kp-1: stands at window 1 already; take a spare"),
    ],
)
def test_who_cannot_take_a_place(hall: Hall, old: str, new: str, why: str) -> None:
    hall.run("enroll", "kp-9", "gone", "--profile", "keypad-5", "--spare")
    hall.run("revoke", "gone")
    assert why in hall.refused("replace", old, "--with", new)


def test_a_spare_of_another_model_is_not_overwritten(hall: Hall) -> None:
    hall.run("enroll", "s-1", "--profile", "keypad-5", "--spare")
    error = hall.refused("enroll", "s-1", "--profile", "keypad-3", "--spare")
    assert error.startswith("s-1: is enrolled as a keypad-5, not as a keypad-3")
    hall.run("revoke", "s-1")
    hall.run("enroll", "s-1", "--profile", "keypad-3", "--spare")


class Cut(BaseException):
    """The power goes."""


@pytest.mark.parametrize(
    "command",
    [
        ("enroll", "kp-1"),
        ("enroll", "w-1", "w-2", "--profile", "wet-floor-mains", "--zone", "door"),
        ("revoke", "kp-1", "floor-1"),
        ("replace", "kp-1", "--with", "kp-9"),
    ],
)
def test_what_a_power_cut_left_is_made_good_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """Cut before and after each file takes its place."""
    ends: set[str] = set()
    cuts = 0
    for allowed in range(100):
        folder = tmp_path / str(allowed)
        folder.mkdir()
        hall = Hall(folder, port=1)
        hall.run("enroll", "kp-1", "floor-1")
        hall.run("enroll", "kp-9", "--profile", "keypad-5", "--spare")
        left = iter(range(allowed))

        def fsync(_descriptor: int, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise Cut

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            try:
                hall.run(*command)
            except Cut:
                cuts += 1
            finished = next(left, None) is not None
        hall.run(*command)
        devices = hall.keys.devices()
        assert differences(devices, folder / "mosquitto") == []
        acl = (folder / "mosquitto" / "acl").read_text()
        ends.add(f"{hall.psk()} {acl} {hall.config.read_text('utf-8').replace(str(folder), '')}")
        if finished:
            break
    assert cuts >= 6
    assert len(ends) == 1


@pytest.fixture
def listening() -> Iterator[int]:
    """A port where somebody answers who is no mosquitto of ours."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_broker_that_cannot_be_told_is_an_error(tmp_path: Path, listening: int) -> None:
    """Not a quiet success: it would go on letting a revoked device in."""
    pid_file = tmp_path / "mosquitto.pid"
    broker = BrokerConfig(port=listening, pid_file=pid_file)
    own = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        for content in (None, "", "nonsense", "999999999", str(own.pid)):
            if content is not None:
                pid_file.write_text(content)
            with pytest.raises(UserError, match="so it does not know of the change") as caught:
                tell(broker)
            assert caught.value.exit_code == os.EX_UNAVAILABLE
        assert own.poll() is None  # nobody else was sent a signal
    finally:
        own.communicate(b"\n")


def test_where_there_is_nobody_to_tell(tmp_path: Path) -> None:
    pid_file = tmp_path / "mosquitto.pid"
    assert tell(BrokerConfig(port=free_port(), pid_file=pid_file)) is Told.NOT_RUNNING
    assert tell(BrokerConfig(host="192.0.2.1", tls=True, pid_file=pid_file)) is Told.ELSEWHERE
    assert tell(BrokerConfig(mode="embedded", port=free_port())) is Told.EMBEDDED


def test_a_connection_that_cannot_be_cut_is_an_error(listening: int) -> None:
    with pytest.raises(UserError, match=r"could not be ended: .*refused.*restart mosquitto"):
        cut(BrokerConfig(port=free_port()), ["kp-1"])


def test_a_revocation_that_the_broker_does_not_hear_fails_loudly(
    hall: Hall, listening: int
) -> None:
    hall.run("enroll", "kp-1", "--profile", "keypad-5", "--window", "1")
    text = hall.config.read_text("utf-8")
    hall.config.write_text(re.sub(r"port = \d+", f"port = {listening}", text, count=1), "utf-8")
    arguments = ["revoke", "kp-1", "--config", str(hall.config)]
    result = CliRunner().invoke(cli.app, arguments)
    assert isinstance(result.exception, UserError)
    assert result.exception.exit_code == os.EX_UNAVAILABLE
    assert hall.psk() == []  # what could be done is done
    assert "revoked = true" in hall.config.read_text("utf-8")
