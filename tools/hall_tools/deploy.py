"""A device's flash chip as a file: partition table, identity, file system, empty journal.

Here: the layout of the 4 MB flash and what is written where. Not here: MicroPython itself and
esptool's image format; a simulated device brings its own interpreter and boots from this file.
"""

import hashlib
import json
import struct
import zlib
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from littlefs import LittleFS

from hall_tools import mpy
from hall_tools.errors import UserError

FLASH_BYTES = 4 * 1024 * 1024
SECTOR = 4096
_TABLE_ADDRESS = 0x8000
_TABLE_BYTES = 0xC00
_APP, _DATA = 0, 1

SCANNED = ("hub12", "hub08", "hub75")
"""Drivers of panels that the controller scans."""

_DRIVER_MODULES = {"max7219_matrix": "max7219"}
"""Where a driver's module has another name."""


class Partition(NamedTuple):
    """One entry of the partition table (ESP-IDF programming guide, "Partition Tables")."""

    label: str
    kind: int
    subtype: int
    offset: int
    size: int


LAYOUT = (
    Partition("nvs", _DATA, 0x02, 0x9000, 0x6000),
    Partition("phy_init", _DATA, 0x01, 0xF000, 0x1000),
    Partition("factory", _APP, 0x00, 0x10000, 0x1F0000),
    # Subtypes from 0x40 on are the application's own.
    Partition("ident", _DATA, 0x40, 0x200000, 0x2000),
    Partition("jrnl", _DATA, 0x41, 0x202000, 0x10000),
    # MicroPython finds its file system by this label; 0x81 is ESP-IDF's "fat", its usual subtype.
    Partition("vfs", _DATA, 0x81, 0x212000, FLASH_BYTES - 0x212000),
)


def partition(label: str) -> Partition:
    """The entry of that label. Raises KeyError when the layout has none."""
    for entry in LAYOUT:
        if entry.label == label:
            return entry
    raise KeyError(label)


def partition_table() -> bytes:
    """The table as the boot loader reads it at 0x8000, with its MD5 entry."""
    entries = b"".join(
        struct.pack(
            "<2sBBII16sI",
            b"\xaa\x50",
            entry.kind,
            entry.subtype,
            entry.offset,
            entry.size,
            entry.label.encode(),
            0,
        )
        for entry in LAYOUT
    )
    checksum = b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(entries, usedforsecurity=False).digest()
    return (entries + checksum).ljust(_TABLE_BYTES, b"\xff")


def ident_image(ident: dict[str, Any], generation: int = 1) -> bytes:
    """The ident partition: the same content in two sectors, each enough by itself.

    A copy is b"HKID", version u16, length u16, generation u32 (the larger is the newer), the
    content as JSON, and the CRC-32 of all that, little endian. firmware/hall/ident.py reads it.
    """
    content = json.dumps(ident, separators=(",", ":"), ensure_ascii=False).encode()
    copy = struct.pack("<4sHHI", b"HKID", 1, len(content), generation) + content
    copy += struct.pack("<I", zlib.crc32(copy))
    if len(copy) > SECTOR:
        raise UserError(f"ident: {len(copy)} bytes do not fit a copy of {SECTOR} bytes")
    return copy.ljust(SECTOR, b"\xff") * 2


def file_system(config: dict[str, Any]) -> dict[str, bytes]:
    """What lies on `vfs`: boot.py and main.py (sources: the port runs no .mpy by name), slot a."""
    root = mpy.firmware_root()
    files = {name: (root / name).read_bytes() for name in ("boot.py", "main.py")}
    files["config.json"] = json.dumps(config, separators=(",", ":"), ensure_ascii=False).encode()
    application = mpy.application()
    if config["driver"]["name"] in SCANNED:
        application |= mpy.players(config["chip"])
    files.update({f"a/{name}": content for name, content in application.items()})
    return files


def vfs_image(files: dict[str, bytes]) -> bytes:
    """A LittleFS image of the `vfs` partition, with the parameters of MicroPython's VfsLfs2."""
    size = partition("vfs").size
    disk = LittleFS(block_size=SECTOR, block_count=size // SECTOR, read_size=32, prog_size=32)
    for name, content in files.items():
        folder = str(Path(name).parent)
        if folder != ".":
            disk.makedirs(folder, exist_ok=True)
        with cast("IO[bytes]", disk.open(name, "wb")) as file:  # pyright: ignore[reportUnknownMemberType]
            file.write(content)
    return bytes(disk.context.buffer)


def check_possible(config: dict[str, Any]) -> None:
    """Raises UserError when this firmware has no module for the config's driver or transport."""
    available = mpy.application()
    profile, driver, transport = config["profile"], config["driver"]["name"], config["transport"]
    if transport == "gateway":
        raise UserError(
            f"{profile}: the gateway drives this display itself, so there is nothing to flash or"
            " to simulate; right: name it in hall.toml, and hall gateway run"
        )
    if f"hall/{transport}.mpy" not in available:
        raise UserError(f"{profile}: this firmware does not speak {transport}, only mqtt")
    if f"hall/drivers/{_DRIVER_MODULES.get(driver, driver)}.mpy" not in available:
        raise UserError(f"{profile}: driver {driver} is not in this firmware")


def deploy(flash: Path, config: dict[str, Any], ident: dict[str, Any]) -> bool:
    """Makes `flash` hold this firmware, config and ident; True when something was written.

    A new file gets an empty journal; in a file that is there the journal is never touched, and
    nothing is written at all when it was deployed from the same content.
    """
    check_possible(config)
    files = file_system(config)
    identity = ident_image(ident)
    stamp = flash.with_suffix(".sha256")
    digest = hashlib.sha256(partition_table() + identity)
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    if flash.exists() and stamp.exists() and stamp.read_text() == digest.hexdigest():
        return False
    flash.parent.mkdir(parents=True, exist_ok=True)
    # Without its stamp a half-written flash is written again the next time.
    stamp.unlink(missing_ok=True)
    if not flash.exists() or flash.stat().st_size != FLASH_BYTES:
        flash.write_bytes(b"\xff" * FLASH_BYTES)
    with flash.open("r+b") as chip:
        for address, content in (
            (_TABLE_ADDRESS, partition_table()),
            (partition("ident").offset, identity),
            (partition("vfs").offset, vfs_image(files)),
        ):
            chip.seek(address)
            chip.write(content)
    stamp.write_text(digest.hexdigest())
    return True
