"""A simulated device's flash chip: a file that holds what an image holds, but for MicroPython.

Here: making, renewing and knowing that file. Not here: what is in it (hall_tools.image); a
simulated device brings its own interpreter.
"""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from hall_gateway.bundle import Bundle
from hall_gateway.release import PublicKey

from hall_tools.errors import UserError
from hall_tools.image import contents
from hall_tools.image.config_file import config_in
from hall_tools.image.layout import partition

_FLASH_BYTES = 4 * 1024 * 1024


def deploy(
    flash: Path,
    config: dict[str, Any],
    ident: dict[str, Any],
    release: Bundle | None = None,
    keys: Collection[PublicKey] = (),
) -> bool:
    """Makes `flash` hold this firmware, or `release`, and config, ident and the `keys` that updates
    are signed with; True when something was written.

    A new file gets an empty journal; in a file that is there the journal is never touched, and
    nothing is written at all when it was deployed from the same content.
    """
    regions = contents(config, ident, release=release, keys=keys)
    digest = hashlib.sha256()
    for region in regions:
        digest.update(f"{region.name} {region.offset} {len(region.content)}\0".encode())
        digest.update(region.content)
    stamp = flash.with_suffix(".sha256")
    if flash.exists() and stamp.exists() and stamp.read_text() == digest.hexdigest():
        return False
    flash.parent.mkdir(parents=True, exist_ok=True)
    # Without its stamp a half-written flash is written again the next time.
    stamp.unlink(missing_ok=True)
    flash.touch(0o600)  # it holds keys
    if flash.stat().st_size != _FLASH_BYTES:
        flash.write_bytes(b"\xff" * _FLASH_BYTES)
    with flash.open("r+b") as chip:
        for region in regions:
            if region.name != "jrnl":
                chip.seek(region.offset)
                chip.write(region.content)
    stamp.write_text(digest.hexdigest())
    return True


def config_on(flash: Path) -> dict[str, Any]:
    """The config of the device whose flash chip that is. Raises UserError: it has none."""
    try:
        content = flash.read_bytes()
        vfs = partition("vfs", len(content) // (1024 * 1024))
        return config_in(content[vfs.offset : vfs.offset + vfs.size])
    except OSError as error:
        raise UserError(f"{flash}: {error.strerror}", os.EX_NOINPUT) from None
    except ValueError as error:
        raise UserError(
            f"{flash}: no flash chip of a device of ours: {error}", os.EX_DATAERR
        ) from None
