"""A release from the firmware's sources.

Here: which files, which version. Not here: compiling (hall_tools.mpy), the format
(hall_gateway.bundle).
"""

import os
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from hall_gateway.bundle import Bundle, BundleError, bundle_of
from hall_gateway.release import Manifest, ManifestError, manifest_of

from hall_tools import mpy
from hall_tools.errors import UserError

_VERSION = re.compile(r'^VERSION = "([^"\n]*)"$', re.MULTILINE)


def build(
    counter: int,
    version: str | None = None,
    core: str | None = None,
    slots: Mapping[str, Mapping[str, bytes]] | None = None,
) -> Bundle:
    """The release of this firmware, not signed; the same sources and arguments make the same bytes.

    `version` and `core` are the firmware's own and that of the MicroPython it is shipped on unless
    given; `slots` are files by family in place of the firmware's. Raises UserError.
    """
    of = slots if slots is not None else firmware_slots()
    number, least = version or firmware_version(), core or base_version()
    try:
        manifests = {
            family: manifest_of(mpy.FAMILIES[family], number, counter, least, files)
            for family, files in of.items()
        }
        return bundle_of(manifests, of.values())
    except (ManifestError, BundleError) as error:
        raise UserError(f"no release can be made of this: {error}") from None


def firmware_slots() -> dict[str, dict[str, bytes]]:
    """What this firmware's slot holds, by family of chips. Raises UserError."""
    return {family: mpy.slot(chips[0]) for family, chips in mpy.FAMILIES.items()}


def unsigned_manifest(chip: str, files: Mapping[str, bytes]) -> Manifest:
    """What a slot of this firmware says of itself when it is no release: counter 0, no signature.
    Raises UserError."""
    family = next(chips for chips in mpy.FAMILIES.values() if chip in chips)
    try:
        return manifest_of(family, firmware_version(), 0, base_version(), files)
    except ManifestError as error:
        raise UserError(f"this firmware fits no slot: {error}") from None


def firmware_version() -> str:
    """VERSION in the firmware's app.py. Raises UserError."""
    source = mpy.firmware_root() / "hall" / "app.py"
    found = _VERSION.search(source.read_text(encoding="utf-8"))
    if found is None:
        raise UserError(f'{source}: no line VERSION = "…"; put one there', os.EX_DATAERR)
    return found[1]


def base_version() -> str:
    """Of the MicroPython that images are built on."""
    file = resources.files("hall_tools.image") / "micropython.toml"
    pinned: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    return str(pinned["version"]).removeprefix("v")
