"""Where everything lies on a device's flash chip, and the table that tells the boot loader.

Here: the partitions, by flash size. Not here: what is in them (ident.py, vfs.py, base.py).
docs/reference/flash-layout.md has the same for readers.
"""

import hashlib
import struct
from typing import NamedTuple

SECTOR = 4096
"""Bytes of a sector, the smallest piece of flash that can be erased."""

TABLE_ADDRESS = 0x8000
TABLE_BYTES = 0xC00

FLASH_MB = (4, 8, 16)
"""Flash sizes that a device may have."""

_APP, _DATA = 0, 1
_VFS_ADDRESS = 0x212000


class Partition(NamedTuple):
    """One entry of the partition table (ESP-IDF programming guide, "Partition Tables")."""

    label: str
    kind: int
    subtype: int
    offset: int
    size: int


class Region(NamedTuple):
    """A piece of flash whose every byte matters; what lies between regions does not.

    It starts at a sector and fills its last one. `jrnl` is where the device keeps events that
    nobody has taken yet: it may be written only when the chip is not that device's already.
    """

    name: str
    offset: int
    content: bytes


def region(name: str, offset: int, content: bytes) -> Region:
    """`content` at `offset`, its last sector filled with 0xFF, as erased flash reads."""
    return Region(name, offset, content + b"\xff" * (-len(content) % SECTOR))


def layout(flash_mb: int = 4) -> tuple[Partition, ...]:
    """The partitions of a chip with `flash_mb` MB; they differ in the size of `vfs` alone."""
    return (
        Partition("nvs", _DATA, 0x02, 0x9000, 0x6000),
        Partition("phy_init", _DATA, 0x01, 0xF000, 0x1000),
        Partition("factory", _APP, 0x00, 0x10000, 0x1F0000),
        # Subtypes from 0x40 on are the application's own.
        Partition("ident", _DATA, 0x40, 0x200000, 0x2000),
        Partition("jrnl", _DATA, 0x41, 0x202000, 0x10000),
        # MicroPython finds its file system by this label; 0x81 is ESP-IDF's "fat", as it expects.
        Partition("vfs", _DATA, 0x81, _VFS_ADDRESS, flash_mb * 1024 * 1024 - _VFS_ADDRESS),
    )


def partition(label: str, flash_mb: int = 4) -> Partition:
    """The entry of that label. Raises KeyError when the layout has none."""
    for entry in layout(flash_mb):
        if entry.label == label:
            return entry
    raise KeyError(label)


def partition_table(flash_mb: int = 4) -> bytes:
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
        for entry in layout(flash_mb)
    )
    checksum = b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(entries, usedforsecurity=False).digest()
    return (entries + checksum).ljust(TABLE_BYTES, b"\xff")
