"""An official MicroPython is taken apart and told its flash size; anything else is refused."""

import random
import struct
from pathlib import Path
from typing import Any

import pytest
from esptool.bin_image import LoadFirmwareImage
from hall_tools.errors import UserError
from hall_tools.image.base import Base
from support import micropython_base
from support.micropython_base import base, write_base

CHIPS = {"esp32": 0x1000, "esp32s3": 0, "esp32c3": 0}
APP = 0x10000
PARTITION = 0x1F0000


@pytest.mark.parametrize(("chip", "start"), CHIPS.items())
def test_its_parts_are_found(tmp_path: Path, chip: str, start: int):
    file = write_base(tmp_path, chip)
    content = file.read_bytes()
    found = Base.read(file)
    assert (found.where, found.chip, found.version) == (str(file), chip, "v1.29.0")
    assert content.startswith(found.boot_loader)
    assert content[APP - start :] == found.app
    assert repr(found) == f"Base({file}, {chip}, v1.29.0)"


@pytest.mark.parametrize(("flash_mb", "size_code"), [(4, 0x20), (8, 0x30), (16, 0x40)])
@pytest.mark.parametrize(("chip", "start"), CHIPS.items())
def test_the_boot_loader_is_told_the_flash_size(
    chip: str, start: int, flash_mb: int, size_code: int
):
    """It refuses a partition table that goes past what its header says."""
    found = Base.parse(base(chip), "base.bin")
    boot, factory = found.regions(flash_mb)
    assert (boot.name, boot.offset, factory.name, factory.offset) == ("boot", start, "factory", APP)
    assert len(boot.content) % 4096 == len(factory.content) % 4096 == 0
    assert boot.content[3] == size_code | 0xF
    changed = [a for a, b in zip(boot.content, found.boot_loader, strict=False) if a != b]
    assert len(changed) in (0, 1 + 32), "one byte of the header, and the digest"
    loaded: Any = LoadFirmwareImage(chip, boot.content)
    assert loaded.stored_digest == loaded.calc_digest
    assert factory.content.startswith(found.app)


def refusal(content: bytes) -> str:
    with pytest.raises(UserError) as refused:
        Base.parse(content, "base.bin")
    return str(refused.value)


def with_chip_number(number: int) -> bytes:
    content = bytearray(base())
    struct.pack_into("<H", content, 12, number)
    return bytes(content)


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0x04]) + content[at + 1 :]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "base.bin: not a MicroPython for an ESP32 chip: it does not begin with 0xE9; give"),
        (b"UF2\n" + bytes(100_000), "base.bin: not a MicroPython for an ESP32 chip"),
        (b"<html>404</html>" * 99, "base.bin: not a MicroPython for an ESP32 chip"),
        (base("esp32s2"), "base.bin: for esp32s2; right: one for esp32, esp32s3, esp32c3"),
        (with_chip_number(77), "base.bin: for a chip with the number 77; right: one for esp32"),
        (base(flash_mb=2), "base.bin: built for 2 MB flash; Hallkit needs 4 MB or more; give"),
        (base(digest=False), "base.bin: boot loader has no SHA-256 of its own; give an official"),
        (base(version="v1.28.0"), "base.bin: MicroPython v1.28.0 has no TLS-PSK, by which a dev"),
        (base(version="of mine"), "base.bin: its application is not MicroPython; give an off"),
        (
            flipped(base(), 10_000),
            "base.bin: boot loader is damaged or cut off; download the file again",
        ),
        (
            flipped(base(), 100_000),
            "base.bin: application is damaged or cut off; download the file again",
        ),
        (base()[:-1], "base.bin: application is damaged or cut off; download th"),
        (base()[:100_000], "base.bin: application is damaged or cut off; download th"),
        (base()[:10_000], "base.bin: boot loader is damaged or cut off; download th"),
        (base()[:28_000], "base.bin: no partition table with an application at 0x8000: not a wh"),
        (
            base()[: APP - 0x1000],
            "base.bin: application is damaged or cut off; download the file again",
        ),
        (base()[:30], "base.bin: boot loader is damaged or cut off; download th"),
    ],
)
def test_what_is_no_whole_base_is_refused(content: bytes, message: str):
    assert refusal(content).startswith(message)


def test_an_application_alone_is_refused():
    alone = micropython_base.image("esp32c3", bytes(300_000))
    assert refusal(alone).startswith("base.bin: boot loader is damaged or cut off")
    small = micropython_base.image("esp32c3", bytes(20_000))
    assert "give the .bin that is flashed to a new board, not an .app-bin" in refusal(small)


@pytest.mark.parametrize("chip", CHIPS)
def test_no_damage_gets_by(chip: str):
    """A flipped bit anywhere is refused, or lies where nothing of an image is taken from."""
    whole = base(chip, app_bytes=30_000)
    good = Base.parse(whole, "base.bin")
    chance = random.Random(chip)
    places = [*range(64), *(chance.randrange(len(whole)) for _ in range(300))]
    seen = set[bool]()
    for at in places:
        try:
            damaged = Base.parse(flipped(whole, at), "base.bin")
        except UserError:
            seen.add(True)
            continue
        seen.add(False)
        assert damaged == good, hex(at)
    assert seen == {True, False}


def test_an_application_too_large_for_its_partition_is_refused():
    whole = base(app_bytes=PARTITION)
    found = Base.parse(whole, "base.bin")
    with pytest.raises(UserError) as refused:
        found.regions(4)
    assert str(refused.value).startswith(
        f"base.bin: its application of {len(found.app):,} bytes does not fit the {PARTITION:,} "
        "bytes of the factory partition; give a smaller MicroPython"
    )


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"none\.bin: No such file or directory$"):
        Base.read(tmp_path / "none.bin")
    with pytest.raises(UserError, match=r": Is a directory$"):
        Base.read(tmp_path)


def test_newer_and_preview_releases_are_taken():
    for version in ("v1.29.1", "v1.30.0-preview.12.gabcdef", "v2.0.0"):
        assert Base.parse(base(version=version), "base.bin").version == version
