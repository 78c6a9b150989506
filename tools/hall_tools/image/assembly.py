"""A device's flash image: MicroPython, our partition table, its identity and its file system.

Here: what is put together, where. Not here: MicroPython's own parts (base.py), and how an image
comes onto a chip (hall_tools.flash).
"""

from typing import Any

from hall_tools.errors import UserError
from hall_tools.image.base import Base
from hall_tools.image.ident import ident_image
from hall_tools.image.layout import (
    FLASH_MB,
    TABLE_ADDRESS,
    Region,
    partition,
    partition_table,
    region,
)
from hall_tools.image.vfs import check_possible, file_system, vfs_image


class Image:
    """What belongs on the flash of one device; its repr holds no secret."""

    def __init__(
        self,
        device: str,
        profile: str,
        chip: str,
        flash_mb: int,
        regions: tuple[Region, ...],
        micropython: str,
    ) -> None:
        self.device = device
        self.profile = profile
        self.chip = chip
        self.flash_mb = flash_mb
        self.regions = regions
        self.micropython = micropython

    def __repr__(self) -> str:
        return f"Image({self.device}, {self.profile}, {self.chip}, {self.flash_mb} MB)"

    @property
    def bytes(self) -> bytes:
        """The whole flash chip from address 0, as `esptool write-flash 0 FILE` takes it."""
        flash = bytearray(b"\xff" * (self.flash_mb * 1024 * 1024))
        for _, offset, content in self.regions:
            flash[offset : offset + len(content)] = content
        return bytes(flash)


def contents(
    config: dict[str, Any], ident: dict[str, Any], flash_mb: int = 4
) -> tuple[Region, ...]:
    """Everything of an image that is not MicroPython's: table, ident, empty jrnl, vfs.

    The simulated device is made of the same. Raises UserError as build().
    """
    check_possible(config)
    journal = partition("jrnl", flash_mb)
    return (
        region("table", TABLE_ADDRESS, partition_table(flash_mb)),
        region("ident", partition("ident", flash_mb).offset, ident_image(ident)),
        # Erased: the firmware formats a journal that it finds in no sector.
        region("jrnl", journal.offset, b"\xff" * journal.size),
        region("vfs", partition("vfs", flash_mb).offset, vfs_image(file_system(config), flash_mb)),
    )


def build(base: Base, config: dict[str, Any], ident: dict[str, Any], flash_mb: int = 4) -> Image:
    """The image of one device. `config` is compiled from its profile, `ident` is its identity.

    Raises UserError: the base is for another chip or does not fit, this firmware has no driver for
    the profile, the files do not fit, `flash_mb` is none of 4, 8 and 16.
    """
    profile, chip = config["profile"], config["chip"]
    if flash_mb not in FLASH_MB:
        raise UserError(
            f"{profile}: a flash of {flash_mb} MB will not do; right: a board with 4, 8 or 16 MB"
        )
    check_possible(config)
    base.check_chip(profile, chip)
    regions = (*base.regions(flash_mb), *contents(config, ident, flash_mb))
    ordered = tuple(sorted(regions, key=lambda each: each.offset))
    return Image(config["device"], profile, chip, flash_mb, ordered, base.version)
