"""The MicroPython that a device's image is built on: an official combined .bin, taken apart.

Such a file begins with ESP-IDF's second-stage boot loader and goes on, at the addresses of its own
partition table, with that table and the application: one piece from the boot loader's address on.
Here: its parts, and whether it is whole. Not here: where the file comes from (download.py).

Sources: ESP-IDF programming guide, "App Image Format" and "Partition Tables"; esptool's
documentation, "Firmware Image Format"; MicroPython's ports/esp32/makeimg.py. TLS-PSK came into
MicroPython with v1.29 (extmod/modtls_mbedtls.c).
"""

import hashlib
import os
import re
import struct
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from esptool.bin_image import LoadFirmwareImage  # pyright: ignore[reportMissingTypeStubs]

from hall_tools.errors import UserError
from hall_tools.image.layout import TABLE_ADDRESS, Region, partition, region

BOOT_ADDRESS = {"esp32": 0x1000, "esp32s3": 0x0, "esp32c3": 0x0}
"""Where each chip's ROM finds the boot loader."""

_CHIP_IDS = {0: "esp32", 2: "esp32s2", 5: "esp32c3", 9: "esp32s3", 12: "esp32c2", 13: "esp32c6"}
_MAGIC = 0xE9
_HEADER_BYTES = 24
_DIGEST_BYTES = 32
_ENTRY = struct.Struct("<2sBBII16sI")
_APP = 0
# sys.version and the banner of the REPL. The official builds leave the application's description
# (esp_app_desc_t) without name and version.
_BANNER = re.compile(rb"MicroPython (v([0-9]+)\.([0-9]+)[!-~]*) on [0-9]{4}-[0-9]{2}-[0-9]{2}\0")
_OLDEST = (1, 29)


class _EspImage(Protocol):
    """What is used of esptool's ESP32FirmwareImage."""

    append_digest: bool
    checksum: int
    stored_digest: bytes
    calc_digest: bytes
    data_length: int

    def calculate_checksum(self) -> int: ...


class Base(NamedTuple):
    """One MicroPython for one chip; `boot_loader` and `app` end with their SHA-256."""

    where: str
    """File or URL, for error messages."""
    chip: str
    version: str
    """As it calls itself, e.g. "v1.29.0"."""
    boot_loader: bytes
    app: bytes

    @classmethod
    def read(cls, file: Path) -> "Base":
        """The base in `file`. Raises UserError: unreadable, not whole, or not such an image."""
        try:
            return cls.parse(file.read_bytes(), str(file))
        except OSError as error:
            raise UserError(f"{file}: {error.strerror}", os.EX_NOINPUT) from None

    @classmethod
    def parse(cls, data: bytes, where: str) -> "Base":
        """The base in `data`. Raises UserError, which begins with `where`."""
        chip = _chip(data, where)
        start = BOOT_ADDRESS[chip]
        boot_loader = _image(data[: TABLE_ADDRESS - start], chip, f"{where}: boot loader")
        address = _app_address(data[TABLE_ADDRESS - start :], where)
        app = _image(data[address - start :], chip, f"{where}: application")
        return cls(where, chip, _version(app, where), boot_loader, app)

    def __repr__(self) -> str:
        return f"Base({self.where}, {self.chip}, {self.version})"

    def check_chip(self, profile: str, chip: str) -> None:
        """Raises UserError when the base is for another chip than the profile's."""
        if chip != self.chip:
            raise UserError(
                f"{self.where}: this MicroPython is for {self.chip}, but {profile} is for {chip}; "
                f"give the file for {chip}"
            )

    def regions(self, flash_mb: int) -> tuple[Region, Region]:
        """Boot loader, told of `flash_mb`, and application.

        Raises UserError when the application does not fit the factory partition.
        """
        factory = partition("factory")
        if len(self.app) > factory.size:
            raise UserError(
                f"{self.where}: its application of {len(self.app):,} bytes does not fit the "
                f"{factory.size:,} bytes of the factory partition; give a smaller MicroPython"
            )
        boot_loader = _for_flash(self.boot_loader, flash_mb)
        return (
            region("boot", BOOT_ADDRESS[self.chip], boot_loader),
            region("factory", factory.offset, self.app),
        )


def _for_flash(boot_loader: bytes, flash_mb: int) -> bytes:
    """With another flash size in its header: the boot loader refuses a table that goes past it."""
    size_code = {4: 2, 8: 3, 16: 4}[flash_mb]
    patched = bytearray(boot_loader[:-_DIGEST_BYTES])
    patched[3] = size_code << 4 | patched[3] & 0x0F
    return bytes(patched) + hashlib.sha256(patched).digest()


def _chip(data: bytes, where: str) -> str:
    if len(data) < _HEADER_BYTES or data[0] != _MAGIC:
        raise UserError(
            f"{where}: not a MicroPython for an ESP32 chip: it does not begin with 0xE9; "
            "give the .bin that micropython.org offers for the board"
        )
    number = struct.unpack_from("<H", data, 12)[0]
    chip = _CHIP_IDS.get(number, f"a chip with the number {number}")
    if chip not in BOOT_ADDRESS:
        raise UserError(f"{where}: for {chip}; right: one for {', '.join(BOOT_ADDRESS)}")
    size_code = data[3] >> 4
    if size_code < 2:
        raise UserError(
            f"{where}: built for {1 << size_code} MB flash; Hallkit needs 4 MB or more; "
            "give the file for a board of that size"
        )
    return chip


def _image(data: bytes, chip: str, where: str) -> bytes:
    """The image that `data` begins with, up to and with its digest."""
    damaged = f"{where} is damaged or cut off; download the file again"
    try:
        image = cast("_EspImage", LoadFirmwareImage(chip, data))
    except Exception:  # whatever esptool meets in what is no image
        raise UserError(damaged) from None
    if not image.append_digest:
        raise UserError(f"{where} has no SHA-256 of its own; give an official MicroPython")
    if image.checksum != image.calculate_checksum() or image.stored_digest != image.calc_digest:
        raise UserError(damaged)
    return data[: image.data_length + _DIGEST_BYTES]


def _app_address(table: bytes, where: str) -> int:
    """Where the base's own table has its first application."""
    for at in range(0, len(table) - _ENTRY.size, _ENTRY.size):
        magic, kind, _, offset, _, _, _ = _ENTRY.unpack_from(table, at)
        if magic != b"\xaa\x50":
            break
        if kind == _APP:
            return offset
    raise UserError(
        f"{where}: no partition table with an application at 0x{TABLE_ADDRESS:x}: not a whole "
        "MicroPython; give the .bin that is flashed to a new board, not an .app-bin"
    )


def _version(app: bytes, where: str) -> str:
    banner = _BANNER.search(app)
    if banner is None:
        raise UserError(f"{where}: its application is not MicroPython; give an official .bin")
    version = banner[1].decode()
    if (int(banner[2]), int(banner[3])) < _OLDEST:
        raise UserError(
            f"{where}: MicroPython {version} has no TLS-PSK, by which a device joins; "
            "give v1.29.0 or newer"
        )
    return version
