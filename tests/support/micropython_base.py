"""Small files of the form of an official MicroPython for an ESP32 chip, which esptool accepts.

A boot loader, a partition table and an application, each at its address, from the boot loader's
on. The application holds the banner of MicroPython and noise, nothing that a chip could execute.
"""

import random
import struct
from pathlib import Path
from typing import Any

from esptool.bin_image import (
    ELFSection,
    ESP32C3FirmwareImage,
    ESP32FirmwareImage,
    ESP32S2FirmwareImage,
    ESP32S3FirmwareImage,
)

VERSION = "v1.29.0"
APP_BYTES = 200_000

_IMAGES: dict[str, Any] = {
    "esp32": ESP32FirmwareImage,
    "esp32s2": ESP32S2FirmwareImage,
    "esp32s3": ESP32S3FirmwareImage,
    "esp32c3": ESP32C3FirmwareImage,
}
_DRAM = {"esp32": 0x3FFF0000, "esp32s2": 0x3FFC0000, "esp32s3": 0x3FC90000, "esp32c3": 0x3FC90000}
_BOOT_ADDRESS = {"esp32": 0x1000, "esp32s2": 0x1000, "esp32s3": 0, "esp32c3": 0}
_SIZE_CODES = {2: 0x10, 4: 0x20, 8: 0x30, 16: 0x40}


def image(chip: str, content: bytes, flash_mb: int = 4, digest: bool = True) -> bytes:
    """One image as esptool writes it: header, a segment of `content`, checksum, SHA-256."""
    made = _IMAGES[chip]()
    made.append_digest = digest
    made.entrypoint = _DRAM[chip]
    made.flash_mode = 2  # DIO
    made.flash_size_freq = _SIZE_CODES[flash_mb] | 0xF  # 80 MHz
    made.segments.append(ELFSection(b".data", _DRAM[chip], content, 0))
    return made.save(None)


def table(entries: list[tuple[int, int, int, int, str]]) -> bytes:
    """A partition table of (type, subtype, offset, size, label), without its MD5."""
    packed = [
        struct.pack("<2sBBII16sI", b"\xaa\x50", kind, subtype, offset, size, label.encode(), 0)
        for kind, subtype, offset, size, label in entries
    ]
    return b"".join(packed).ljust(0xC00, b"\xff")


def base(
    chip: str = "esp32",
    *,
    flash_mb: int = 4,
    version: str = VERSION,
    app_bytes: int = APP_BYTES,
    digest: bool = True,
) -> bytes:
    """The whole file; the same arguments give the same bytes."""
    noise = random.Random(chip).randbytes(app_bytes)
    banner = f"MicroPython {version} on 2026-08-24".encode() + b"\0"
    # makeimg.py of the ESP32 port: the port's own table has no vfs.
    own = table([(1, 2, 0x9000, 0x6000, "nvs"), (0, 0, 0x10000, 0x1F0000, "factory")])
    parts = (
        (_BOOT_ADDRESS[chip], image(chip, noise[:20_000], flash_mb, digest)),
        (0x8000, own),
        (0x10000, image(chip, banner + noise, flash_mb, digest)),
    )
    start = _BOOT_ADDRESS[chip]
    made = bytearray()
    for address, part in parts:
        made += b"\xff" * (address - start - len(made)) + part
    return bytes(made)


def write_base(folder: Path, chip: str = "esp32", **how: Any) -> Path:
    """base() as a file in `folder`."""
    path = folder / f"micropython-{chip}.bin"
    path.write_bytes(base(chip, **how))
    return path
