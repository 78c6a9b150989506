"""An image in a file, as `hall image build` writes it: a whole flash chip, taken apart again.

Here: its regions, and whether it is whole. Not here: making one (hall_tools.image).
"""

import os
from pathlib import Path
from typing import Any

from hall_tools.errors import UserError
from hall_tools.flash.occupant import partitions
from hall_tools.image import Base, Image, Region
from hall_tools.image.base import BOOT_ADDRESS
from hall_tools.image.config_file import config_in
from hall_tools.image.ident import device_in
from hall_tools.image.layout import FLASH_MB, SECTOR, TABLE_ADDRESS, partition_table, region

_MB = 1024 * 1024
_BUILD = "make it again with hall image build"


def read_image(file: Path) -> Image:
    """The image in `file`. Raises UserError: unreadable, no whole image, or damaged."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}", os.EX_NOINPUT) from None
    flash_mb, rest = divmod(len(content), _MB)
    if rest or flash_mb not in FLASH_MB:
        raise UserError(
            f"{file}: {len(content):,} bytes are no whole flash of 4, 8 or 16 MB; {_BUILD}"
        )
    table = region("table", TABLE_ADDRESS, partition_table(flash_mb))
    if content[TABLE_ADDRESS : TABLE_ADDRESS + SECTOR] != table.content:
        raise UserError(f"{file}: not an image of ours: another partition table; {_BUILD}")
    start = 0 if content[0] != 0xFF else BOOT_ADDRESS["esp32"]
    try:
        base = Base.parse(content[start:], str(file))
    except UserError:  # its advice is for a MicroPython that was downloaded
        raise UserError(f"{file}: its MicroPython is damaged; {_BUILD}") from None
    rest_of_it = [
        Region(label, place.offset, content[place.offset : place.offset + place.size])
        for label, place in partitions(table.content).items()
        if label in ("ident", "jrnl", "vfs")
    ]
    device = device_in(next(each.content for each in rest_of_it if each.name == "ident"))
    config = _config(next(each.content for each in rest_of_it if each.name == "vfs"), file)
    whole = config.get("device") == device and isinstance(config.get("profile"), str)
    if device is None or not whole:
        raise UserError(f"{file}: its identity is damaged, or not its configuration's; {_BUILD}")
    regions = (*base.regions(flash_mb), table, *rest_of_it)
    ordered = tuple(sorted(regions, key=lambda each: each.offset))
    return Image(device, config["profile"], base.chip, flash_mb, ordered, base.version)


def _config(vfs: bytes, file: Path) -> dict[str, Any]:
    try:
        return config_in(vfs)
    except ValueError:
        raise UserError(f"{file}: its file system is damaged; {_BUILD}") from None
