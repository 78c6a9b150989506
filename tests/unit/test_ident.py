"""Who a device is survives a damaged copy; what the installer's tool writes, the firmware reads."""

import json
from pathlib import Path
from typing import Any

import pytest
from hall_tools.image.ident import ident_image
from hall_tools.image.layout import SECTOR
from support import micropython

SCRIPT = Path(__file__).with_name("mp_ident.py")
IDENT = {
    "device": "kp-1",
    "psk": "00ff" * 8,
    "claim": "0f" * 16,
    "wifi": [["营业厅", "secret"], ["spare", ""]],
}
OTHER = {**IDENT, "device": "kp-2"}
NO_PAIR = "refused ident: a Wi-Fi network is not [ssid, password]"
NO_CLAIM = "refused ident: claim is not 16 bytes in hex"
NO_COPY = "refused ident: no valid copy, enrol this device again"


def read(folder: Path, image: bytes) -> Any:
    (folder / "ident.bin").write_bytes(image)
    output = micropython.run(SCRIPT, str(folder / "ident.bin")).output.strip()
    return output if output.startswith("refused") else json.loads(output)


def flip(image: bytes, offset: int) -> bytes:
    return image[:offset] + bytes([image[offset] ^ 0x10]) + image[offset + 1 :]


def test_it_reads_what_was_written(tmp_path: Path):
    image = ident_image(IDENT)
    assert len(image) == 2 * SECTOR
    assert read(tmp_path, image) == IDENT


@pytest.mark.parametrize("offset", [0, 4, 6, 8, 12, 40])
@pytest.mark.parametrize("copy", [0, 1])
def test_one_damaged_copy_costs_nothing(tmp_path: Path, copy: int, offset: int):
    assert read(tmp_path, flip(ident_image(IDENT), copy * SECTOR + offset)) == IDENT


@pytest.mark.parametrize(("first", "second"), [(IDENT, OTHER), (OTHER, IDENT)])
def test_the_newest_valid_copy_counts(tmp_path: Path, first: Any, second: Any):
    generations = {"kp-1": 4, "kp-2": 3}
    image = b"".join(ident_image(i, generations[i["device"]])[:SECTOR] for i in (first, second))
    assert read(tmp_path, image) == IDENT
    damaged = image.index(b"kp-1")
    assert read(tmp_path, flip(image, damaged)) == OTHER


def test_without_a_valid_copy_it_says_what_to_do(tmp_path: Path):
    assert read(tmp_path, b"\xff" * 2 * SECTOR) == NO_COPY
    assert read(tmp_path, bytes(2 * SECTOR)) == NO_COPY
    assert read(tmp_path, flip(flip(ident_image(IDENT), 20), SECTOR + 20)) == NO_COPY


@pytest.mark.parametrize(
    ("ident", "refusal"),
    [
        ({"psk": None, "wifi": []}, "refused ident: no device id"),
        ({"device": "kp-1", "psk": None}, "refused ident: no list of Wi-Fi networks"),
        ({**IDENT, "wifi": [["ssid", "key"], ["ssid"]]}, NO_PAIR),
        ({**IDENT, "wifi": [["ssid", None]]}, NO_PAIR),
        ({**IDENT, "wifi": ["ss"]}, NO_PAIR),
        ({**IDENT, "claim": "00ff"}, NO_CLAIM),
        ({**IDENT, "claim": 5}, NO_CLAIM),
    ],
)
def test_a_copy_without_its_fields_is_refused(tmp_path: Path, ident: Any, refusal: str):
    assert read(tmp_path, ident_image(ident)) == refusal


def test_keys_that_were_used_are_marked_whatever_is_cut(tmp_path: Path):
    (tmp_path / "ident.bin").write_bytes(ident_image(IDENT))
    output = micropython.run(SCRIPT, str(tmp_path / "ident.bin"), "mark").output
    assert json.loads(output) == [False, True, True, True]


OSCORE = {"secret": "0f" * 16, "salt": "aa" * 8, "id": "01", "gateway_id": ""}


def test_the_keys_of_a_battery_device_are_read(tmp_path: Path):
    for start in ({}, {"start": 2**32 - 1}):
        ident = {**IDENT, "oscore": {**OSCORE, **start}}
        assert read(tmp_path, ident_image(ident)) == ident
    ident = {**IDENT, "oscore": {**OSCORE, "start": 2**32}}
    assert (
        read(tmp_path, ident_image(ident)) == "refused ident: oscore start is no number of 32 bits"
    )


@pytest.mark.parametrize("wrong", [None, 5, "0", "xy"])
@pytest.mark.parametrize("name", list(OSCORE))
def test_keys_that_are_none_are_refused_by_name(tmp_path: Path, name: str, wrong: Any):
    ident = {**IDENT, "oscore": {**OSCORE, name: wrong}}
    refusal = f"refused ident: oscore {name} is not in hex, enrol this device again"
    assert read(tmp_path, ident_image(ident)) == refusal
