"""What an application slot holds when a device is flashed: its files, and the manifest of them.

Here: this firmware's slot, and a release's. Not here: compiling (hall_tools.mpy), what a release is
(hall_gateway.release), the file system around it (vfs.py).

A slot of this firmware is what a release of it would hold, byte for byte: so a device takes of an
update only what has changed. Only its manifest has no signature.
"""

import os
from pathlib import Path
from typing import Any

from hall_gateway.bundle import Bundle
from hall_gateway.release import PublicKey

from hall_tools import mpy
from hall_tools.errors import UserError
from hall_tools.update.build import unsigned_manifest
from hall_tools.update.read import check_signed, read_release

MANIFEST = "manifest"


def slot_of(config: dict[str, Any], release: Bundle | None = None) -> dict[str, bytes]:
    """The files of a slot for the device of that config, content by path. Raises UserError."""
    chip = config["chip"]
    if release is None:
        files = mpy.slot(chip)
        return files | {MANIFEST: unsigned_manifest(chip, files).content}
    family = release.family(chip)
    if family is None:
        raise UserError(f"{config['profile']}: the release has nothing for its chip, {chip}")
    return release.slot(family) | {MANIFEST: release.manifests[family].content}


def release_in(file: Path, keys: tuple[PublicKey, ...]) -> Bundle:
    """The release in `file`, signed with one of `keys`, which devices are given. Raises
    UserError."""
    if not keys:
        raise UserError(
            f"{file}: a device can update only with keys: name them first, in hall.toml as "
            '[updates] keys = ["release.pub"]',
            os.EX_CONFIG,
        )
    release = read_release(file)
    check_signed(file, release, keys)
    return release
