"""A device's flash image: MicroPython, our partition table, its identity and its file system.

Here: what is put together, where. Not here: MicroPython's own parts (base.py), and how an image
comes onto a chip (hall_tools.flash).
"""

import re
from collections.abc import Collection
from typing import Any

from hall_gateway.bundle import Bundle
from hall_gateway.release import PublicKey

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
    config: dict[str, Any],
    ident: dict[str, Any],
    flash_mb: int = 4,
    release: Bundle | None = None,
    keys: Collection[PublicKey] = (),
) -> tuple[Region, ...]:
    """Everything of an image that is not MicroPython's: table, ident, empty jrnl, vfs.

    The simulated device is made of the same. Raises UserError as build().
    """
    check_possible(config)
    files = file_system(config, release, keys)
    journal = partition("jrnl", flash_mb)
    return (
        region("table", TABLE_ADDRESS, partition_table(flash_mb)),
        region("ident", partition("ident", flash_mb).offset, ident_image(ident)),
        # Erased: the firmware formats a journal that it finds in no sector.
        region("jrnl", journal.offset, b"\xff" * journal.size),
        region("vfs", partition("vfs", flash_mb).offset, vfs_image(files, flash_mb)),
    )


def build(
    base: Base,
    config: dict[str, Any],
    ident: dict[str, Any],
    flash_mb: int = 4,
    release: Bundle | None = None,
    keys: Collection[PublicKey] = (),
) -> Image:
    """The image of one device. `config` is compiled from its profile, `ident` is its identity; with
    `release` that is its application in place of this firmware; it takes updates from `keys`.

    Raises UserError: the base is for another chip or does not fit, this firmware has no driver for
    the profile, the release is not for the chip, the files do not fit, `flash_mb` is none of 4, 8
    and 16.
    """
    profile, chip = config["profile"], config["chip"]
    if flash_mb not in FLASH_MB:
        raise UserError(
            f"{profile}: a flash of {flash_mb} MB will not do; right: a board with 4, 8 or 16 MB"
        )
    check_possible(config)
    base.check_chip(profile, chip)
    if release is not None:
        _check_core(base, release)
    regions = (*base.regions(flash_mb), *contents(config, ident, flash_mb, release, keys))
    ordered = tuple(sorted(regions, key=lambda each: each.offset))
    return Image(config["device"], profile, chip, flash_mb, ordered, base.version)


def _check_core(base: Base, release: Bundle) -> None:
    """Raises UserError when the release needs a newer MicroPython than this one."""
    core = next(iter(release.manifests.values())).core
    if _numbers(base.version) < _numbers(core):
        raise UserError(
            f"{base.where}: MicroPython {base.version}, but the release needs {core} or newer; "
            "give that with --base"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[0-9]+", version)[:3])
