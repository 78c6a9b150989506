"""`hall enroll`, `hall revoke` and `hall replace`: what they write, refuse and say.

What a running broker and gateway make of it: tests/contract/test_enrolment.py.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.config import BrokerConfig, load_config
from hall_gateway.keys import KeyStore
from hall_tools import cli
from hall_tools.device_broker import Told, cut, tell
from hall_tools.errors import UserError
from hall_tools.ports import free_port
from typer.testing import CliRunner

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = (REPOSITORY / "docs" / "gateway.example.toml").read_text("utf-8")
LONG_HEX = re.compile(r"[0-9a-f]{16,}", re.IGNORECASE)


class Hall:
    """A folder with the example's hall.toml, at a port where no broker is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "hall.toml"
        text = EXAMPLE.replace("port = 1883", f"port = {free_port()}", 1)
        self.config.write_text(
            text.replace("[broker]", f'[broker]\npid_file = "{folder}/mosquitto.pid"'),
            encoding="utf-8",
        )
        self.before = self.config.read_text("utf-8")
        self.keys = KeyStore(folder / "keys")

    def run(self, *arguments: str) -> str:
        """The output of a command that succeeds."""
        result = CliRunner().invoke(cli.app, [*arguments, "--config", str(self.config)])
        assert result.exit_code == 0, result.exception
        assert not LONG_HEX.search(result.output.replace(str(self.folder), ""))
        return result.output

    def told(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def refused(self, *arguments: str, code: int = os.EX_DATAERR) -> str:
        """The error of a command that must leave everything as it was."""
        before = self.everything()
        result = CliRunner().invoke(cli.app, [*arguments, "--config", str(self.config)])
        assert isinstance(result.exception, UserError), (result.output, result.exception)
        assert result.exception.exit_code == code
        assert self.everything() == before
        return str(result.exception)

    def everything(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def added(self) -> list[str]:
        """The lines of hall.toml that were not there before; none may be gone."""
        lines = self.config.read_text("utf-8").splitlines()
        for line in self.before.splitlines():
            lines.remove(line)
        return lines

    def psk(self) -> list[str]:
        """Who has a key in mosquitto's file."""
        text = (self.folder / "mosquitto" / "psk").read_text()
        return [line.split(":")[0] for line in text.splitlines()]


@pytest.fixture
def hall(tmp_path: Path) -> Hall:
    return Hall(tmp_path)


def test_a_new_device(hall: Hall) -> None:
    told = hall.told("enroll", "count-2", "--profile", "people-counter-vl53l1x", "--zone", "exit")
    path = hall.folder / "keys" / "count-2.json"
    assert told == {
        "devices": [
            {
                "device": "count-2",
                "profile": "people-counter-vl53l1x",
                "window": None,
                "zone": "exit",
                "generation": 1,
                "keys": str(path),
            }
        ],
        "broker": "not running",
    }
    assert [line for line in hall.added() if line] == [
        *("[[device]]", 'id = "count-2"', 'profile = "people-counter-vl53l1x"', 'zone = "exit"')
    ]
    assert hall.psk() == ["count-2"]
    (device,) = [d for d in load_config(hall.config).devices if d.id == "count-2"]
    assert device.subject == "zone/exit"


def test_what_a_person_reads(hall: Hall) -> None:
    assert hall.run(
        "enroll", "disp-3", "--profile", "call-display-f375-64x32", "--window", "2"
    ) == (
        "disp-3: call-display-f375-64x32 at window 2, keys 1\n"
        "mosquitto: does not run; it reads its files when it starts\n"
        "gateway: sees the change by itself, within a second or two\n"
    )


def test_a_device_that_stands_in_the_file_gets_keys_and_the_file_stays(hall: Hall) -> None:
    for generation in (1, 2):
        told = hall.told("enroll", "kp-1", "--profile", "keypad-5", "--window", "1")
        assert told["devices"][0]["generation"] == generation
        assert hall.config.read_text("utf-8") == hall.before


def test_an_id_is_enough_for_what_is_known(hall: Hall) -> None:
    """In hall.toml, or enrolled as a spare; the advice to enroll again names no more."""
    hall.run("enroll", "kp-9", "--profile", "keypad-5", "--spare")
    told = hall.told("enroll", "kp-1", "kp-9")["devices"]
    assert [(d["device"], d["window"], d["generation"]) for d in told] == [
        ("kp-1", "1", 1),
        ("kp-9", None, 2),
    ]
    hall.run("revoke", "kp-1")
    (again,) = hall.told("enroll", "kp-1")["devices"]
    assert (again["profile"], again["window"], again["generation"]) == ("keypad-5", "1", 2)
    error = hall.refused("enroll", "kp-1", "kp-8", code=os.EX_USAGE)
    assert error.startswith("kp-8: is new here, so --profile is missing")


def test_a_hall_without_devices(hall: Hall) -> None:
    bare = hall.before.partition("# Every device of the hall")[0].rstrip()  # no newline at its end
    hall.before = bare
    hall.config.write_text(bare, encoding="utf-8")
    for name in ("a", "b"):
        hall.run("enroll", name, "--profile", "wet-floor-mains", "--zone", "door")
    assert hall.config.read_text("utf-8").startswith(f"{bare}\n\n[[device]]\n")
    assert [device.id for device in load_config(hall.config).devices] == ["a", "b"]


def test_several_devices_at_one_place(hall: Hall) -> None:
    told = hall.told("enroll", "w-1", "w-2", "--profile", "wet-floor-mains", "--zone", "door")
    assert [one["device"] for one in told["devices"]] == ["w-1", "w-2"]
    assert hall.psk() == ["w-1", "w-2"]


def test_a_box_of_forty(hall: Hall) -> None:
    rows = "".join(f"wet-{n:02},,zone-{n % 5}\r\n" for n in range(38))
    text = f"device, window ,zone\r\n{rows}disp-8,1,\r\ndisp-9,2,\r\n,,\r\n"
    (hall.folder / "boards.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    error = hall.refused("enroll", "--from", str(hall.folder / "boards.csv"))
    assert error.endswith("boards.csv:2: wet-00 has no profile; add it, or give --profile")
    told = hall.told(
        "enroll", "--from", str(hall.folder / "boards.csv"), "--profile", "wet-floor-mains"
    )
    assert len(told["devices"]) == len(hall.psk()) == 40
    assert told["devices"][0]["zone"] == "zone-0"
    assert told["devices"][-1]["window"] == "2"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", ":1: the headings are missing; right: device"),
        ("id,zone\na,b\n", ":1: the headings are id,zone; right: device"),
        ("device,device\na,b\n", ":1: the headings are"),
        ("device,zone\n", "has no board in it"),
        ("device,zone,window\nw,door,1\n", ":2: a device stands at a window or in a zone"),
        ("device,zone\n\nw,door\n,door\n", ":4: device is empty"),
        ("device,zone\nw,door,x\n", ":2: has more values"),
        ("device,zone\nw,\n", ":2: w has neither window nor zone"),
        ("device,zone\nw,door\nw,door\n", "w: is named twice"),
        ("device,zone\nw,前门\n", 'w: zone "前门": right: 1 to 32 of a-z'),
        ("device;zone\nw;door\n", "each once, with commas between"),
        ('device,zone\n"w,door\nv,door\n', ":2: not CSV: unexpected end"),
        (f"device,zone\n{'w' * 200_000},door\n", ":2: not CSV: field larger"),
    ],
)
def test_a_bad_list_of_boards(hall: Hall, text: str, why: str) -> None:
    path = hall.folder / "boards.csv"
    path.write_text(text, encoding="utf-8")
    assert why in hall.refused("enroll", "--from", str(path), "--profile", "wet-floor-mains")


def test_a_list_in_another_encoding(hall: Hall) -> None:
    path = hall.folder / "boards.csv"
    path.write_bytes("device,zone\nw,前门\n".encode("gbk"))
    assert "not UTF-8" in hall.refused("enroll", "--from", str(path), "--profile", "keypad-5")
    missing = str(hall.folder / "away.csv")
    hall.refused("enroll", "--from", missing, "--profile", "keypad-5", code=os.EX_NOINPUT)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("kp-1 --profile keypad-3 --window 1", "kp-1 is a keypad-5 at window 1 there, not a keypa"),
        ("kp-1 --profile keypad-5 --window 2", "kp-1 is a keypad-5 at window 1 there, not a keypa"),
        ("kp-1 --profile keypad-5 --zone a", "kp-1 is a keypad-5 at window 1 there, not a keypad"),
        ("kp-1 --profile keypad-5 --spare", "kp-1: stands at window 1, and a spare stands nowher"),
        ("x --profile keypad-5 --window 1", "window 1 has the keypad kp-1, and a window has one"),
        ("x --profile keypad-5 --window 9", "has no window 9, only 1, 2; add a [[window]]"),
        ("x --profile keypad-5 --zone door", 'a keypad rates a window; give window = "..."'),
        ("x --profile keypad-9 --window 1", "keypad-9"),
        ("x --profile wet-floor-mains --zone A", 'zone "A": right'),
        ("X --profile wet-floor-mains --zone a", 'device "X": right: 1 to 32'),
        ("gateway --profile wet-floor-mains --zone a", "is the gateway's own id"),
        ("x y x --profile wet-floor-mains --zone a", "x: is named twice"),
        ("x --profile call-display-p10-64x16-pi --spare", "is a part of the gateway, no spare"),
        ("x --profile wet-floor-battery --zone a", "wet-floor-battery speaks CoAP; add a [coap] table"),
    ],
)
def test_what_cannot_be(hall: Hall, arguments: str, why: str) -> None:
    assert why in hall.refused("enroll", *arguments.split())


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "x --window 1",
        "x --profile keypad-5",
        "x --profile keypad-5 --window 1 --zone a",
        "x --profile keypad-5 --window 1 --spare",
        "x --from boards.csv --profile keypad-5",
    ],
)
def test_options_that_do_not_go_together(hall: Hall, arguments: str) -> None:
    hall.refused("enroll", *arguments.split(), code=os.EX_USAGE)


def test_all_or_none(hall: Hall) -> None:
    """The last of them cannot be, so the first was not either."""
    path = hall.folder / "boards.csv"
    path.write_text("device,profile,window\ndisp-8,call-display-f375-64x32,1\nkp-8,keypad-5,1\n")
    assert "kp-8: window 1 has the keypad" in hall.refused("enroll", "--from", str(path))
    assert hall.keys.devices() == []


def test_a_hall_toml_that_is_wrong_or_away(hall: Hall, tmp_path: Path) -> None:
    hall.config.write_text("hall = 5\n")
    arguments = ("enroll", "kp-1", "--profile", "keypad-5", "--window", "1")
    error = hall.refused(*arguments, code=os.EX_CONFIG)
    assert "hall.toml:1: hall" in error
    hall.config.unlink()
    assert "name the gateway's with --config" in hall.refused(*arguments, code=os.EX_NOINPUT)


def test_keys_that_others_can_read_stop_everything(hall: Hall) -> None:
    hall.run("enroll", "kp-1", "--profile", "keypad-5", "--window", "1")
    hall.keys.path("kp-1").chmod(0o644)
    for arguments in (("enroll", "kp-2", "--profile", "keypad-3", "--window", "2"),):
        error = hall.refused(*arguments, code=os.EX_CONFIG)
        assert f"run: chmod 600 {hall.keys.path('kp-1')}" in error


def test_the_file_keeps_its_mode(hall: Hall) -> None:
    hall.config.chmod(0o640)
    hall.run("enroll", "w", "--profile", "wet-floor-mains", "--zone", "a")
    assert hall.config.stat().st_mode & 0o777 == 0o640


def test_a_link_to_the_file_stays_one(hall: Hall) -> None:
    hall.config.rename(hall.folder / "kept.toml")
    hall.config.symlink_to("kept.toml")
    hall.run("enroll", "w", "--profile", "wet-floor-mains", "--zone", "a")
    assert hall.config.is_symlink()
    assert [line for line in hall.added() if line][1] == 'id = "w"'


def test_a_file_from_a_windows_editor(hall: Hall) -> None:
    """It begins with a byte order mark."""
    hall.config.write_text(hall.before, encoding="utf-8-sig")
    hall.run("enroll", "w", "--profile", "wet-floor-mains", "--zone", "a")
    assert "w" in [device.id for device in load_config(hall.config).devices]


def test_a_display_of_the_gateways_own_needs_no_keys(hall: Hall) -> None:
    output = hall.run("enroll", "own", "--profile", "call-display-p10-64x16-pi", "--window", "1")
    assert output.startswith("own: call-display-p10-64x16-pi at window 1, needs no keys\n")
    assert hall.keys.devices() == []
    assert "own" in [device.id for device in load_config(hall.config).devices]
    assert "own: is a part of the gateway and has no keys" in hall.refused("revoke", "own")
    assert "own: is a part of the gateway" in hall.refused("replace", "own", "--with", "kp-9")


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
    assert "replaces" not in hall.config.read_text("utf-8")
    assert hall.psk() == ["floor-1", "floor-9"]


def test_a_stolen_device_is_replaced_later(hall: Hall) -> None:
    hall.run("revoke", "kp-1")
    hall.run("enroll", "kp-9", "--profile", "keypad-5", "--spare")
    output = hall.run("replace", "kp-1", "--with", "kp-9")
    assert output.startswith("kp-9: keypad-5 at window 1, in place of kp-1\nkp-1: revoked\n")
    assert "revoked" not in hall.config.read_text("utf-8")


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


def test_keys_of_a_battery_device(hall: Hall) -> None:
    told = hall.told("enroll", "bat-1", "--profile", "wet-floor-battery", "--spare")
    assert told["devices"][0]["generation"] == 1
    assert hall.psk() == []
    keys = hall.keys.get("bat-1")
    assert keys is not None
    assert keys.oscore is not None
    hall.run("revoke", "bat-1")
    keys = hall.keys.get("bat-1")
    assert keys is not None
    assert keys.oscore is None


# Telling the broker.


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
    assert tell(BrokerConfig(host="192.0.2.1", pid_file=pid_file)) is Told.ELSEWHERE
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
