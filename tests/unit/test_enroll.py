"""`hall enroll`: what it writes, refuses and says.

What a running broker and gateway make of it: tests/contract/test_enrolment.py.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hall_gateway.config import load_config
from support.enrolling import Hall


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


def test_a_device_without_a_broker_is_none_of_mosquittos_business(hall: Hall) -> None:
    arguments = ("enroll", "floor-9", "--profile", "wet-floor-battery", "--zone", "exit")
    assert hall.run(*arguments) == (
        "floor-9: wet-floor-battery at zone exit, keys 1\n"
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
    ],
)
def test_what_cannot_be(hall: Hall, arguments: str, why: str) -> None:
    assert why in hall.refused("enroll", *arguments.split())


def test_a_battery_device_needs_a_gateway_that_speaks_coap(hall: Hall) -> None:
    arguments = ("enroll", "x", "--profile", "wet-floor-battery", "--zone", "a")
    hall.config.write_text(re.sub(r"(?ms)^\[coap\]$.*?(?=^\[)", "", hall.before), "utf-8")
    assert "wet-floor-battery speaks CoAP; add a [coap] table" in hall.refused(*arguments)
    hall.config.write_text(hall.before, "utf-8")
    assert hall.told(*arguments)["devices"][0]["profile"] == "wet-floor-battery"


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
