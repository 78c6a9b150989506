"""Files on the flash chip of a device that is switched off, as damage or somebody else left them.

Only writing them belongs here. What they are is the test's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast

from hall_tools.image.layout import SECTOR, partition
from littlefs import LittleFS


def write_files(flash: Path, files: Mapping[str, bytes]) -> None:
    """Writes or replaces these files, by their path, in the file system on the chip; the rest of it
    stays."""
    vfs = partition("vfs")
    content = flash.read_bytes()[vfs.offset : vfs.offset + vfs.size]
    disk = LittleFS(block_size=SECTOR, block_count=vfs.size // SECTOR, mount=False)
    disk.context.buffer = bytearray(content)
    disk.mount()
    for name, data in files.items():
        disk.makedirs(str(Path(name).parent), exist_ok=True)
        with cast("IO[bytes]", disk.open(name, "wb")) as file:  # pyright: ignore[reportUnknownMemberType]
            file.write(data)
    with flash.open("r+b") as chip:
        chip.seek(vfs.offset)
        chip.write(bytes(disk.context.buffer))
