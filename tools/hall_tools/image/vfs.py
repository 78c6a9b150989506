"""The vfs partition: the LittleFS that the device starts from.

Here: which files lie on it, and the file system around them. Not here: what a slot holds (slot.py).
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any, cast

from hall_gateway.bundle import Bundle
from hall_gateway.release import PublicKey
from littlefs import LittleFS, LittleFSError

from hall_tools import mpy
from hall_tools.errors import UserError
from hall_tools.image.layout import SECTOR, partition
from hall_tools.image.slot import slot_of

SCANNED = ("hub12", "hub08", "hub75")
"""Drivers of panels that the controller scans."""

_PIECE = 4
"""Blocks: a file has room for a multiple of these."""

_SPARE_BLOCKS = 16
"""Free beside two slots: for what is written anew before the old goes, such as /slot.json."""

_PLACE_HOLDER = "room"

_DRIVER_MODULES = {"max7219_matrix": "max7219"}
"""Where a driver's module has another name."""


def file_system(
    config: dict[str, Any], release: Bundle | None = None, keys: Collection[PublicKey] = ()
) -> dict[str, bytes]:
    """What lies on `vfs`: boot.py and main.py (sources: the port runs no .mpy by name) with what
    they import, slot a, safe mode, and `keys`, which the device takes updates from. Slot a is this
    firmware, or `release`."""
    root = mpy.firmware_root()
    files = {name: (root / name).read_bytes() for name in ("boot.py", "main.py")}
    # Not as a source: each name in one takes heap for good.
    files["choose.mpy"] = mpy.compile_module(root / "choose.py", "choose.py")
    files["config.json"] = json.dumps(config, separators=(",", ":"), ensure_ascii=False).encode()
    if keys:
        files["keys.json"] = json.dumps({"keys": [key.hex for key in keys]}).encode()
    slot = slot_of(config, release)
    files.update({f"a/{name}": content for name, content in slot.items()})
    files.update({f"safe/{name}": content for name, content in mpy.safe_mode().items()})
    return files


def vfs_image(files: dict[str, bytes], flash_mb: int = 4) -> bytes:
    """A LittleFS image of the `vfs` partition, with the parameters of MicroPython's VfsLfs2.

    Raises UserError when the files do not fit with as much as slot a takes for slot b, into which
    the device takes its updates, and some blocks that LittleFS and the device write to.
    """
    size = partition("vfs", flash_mb).size
    # A larger cache would make inline files that the device's own cache has no room for.
    disk = LittleFS(
        block_size=SECTOR, block_count=size // SECTOR, read_size=32, prog_size=32, cache_size=128
    )
    try:
        for folder in sorted({str(Path(name).parent) for name in files} - {"."}):
            disk.makedirs(folder, exist_ok=True)
        # What is large and seldom changes lies in front of what does.
        for name in sorted(files, key=lambda name: (not name.endswith(".bin"), name)):
            _add(disk, name, files[name])
        needed = disk.used_block_count + _slot_blocks(files) + _SPARE_BLOCKS
        fits = needed <= size // SECTOR
    except LittleFSError as error:
        if error.code != LittleFSError.Error.LFS_ERR_NOSPC:
            raise
        fits = False
    if not fits:
        total = sum(len(content) for content in files.values())
        raise UserError(
            f"vfs: {len(files)} files of {total:,} bytes, and slot a's again for an update, do not "
            f"fit its {size:,} bytes; take a board with more than {flash_mb} MB flash"
        )
    return bytes(disk.context.buffer)


def _slot_blocks(files: dict[str, bytes]) -> int:
    """Of slot b, when it is as large as slot a: its files, and its folders of two blocks each."""
    slot = {name: content for name, content in files.items() if name.startswith("a/")}
    folders = {str(parent) for name in slot for parent in Path(name).parents}
    return sum(-(-len(content) // SECTOR) for content in slot.values()) + 2 * len(folders)


def _add(disk: LittleFS, name: str, content: bytes) -> None:
    """A file, and room for it to grow: blocks are handed out in a row, so those that another file
    takes and gives back stay free. A module that grows a little then moves no other one, and
    flashing again writes that module alone.
    """
    _write(disk, name, content)
    took = -(-len(content) // SECTOR)
    for _ in range(-took % _PIECE):
        # A file's first block holds content alone, so this one stays as erased flash is.
        _write(disk, _PLACE_HOLDER, b"\xff" * SECTOR)
        disk.remove(_PLACE_HOLDER)


def _write(disk: LittleFS, name: str, content: bytes) -> None:
    with cast("IO[bytes]", disk.open(name, "wb")) as file:  # pyright: ignore[reportUnknownMemberType]
        file.write(content)


def check_possible(config: dict[str, Any]) -> None:
    """Raises UserError when this firmware has no module for the config's driver or transport."""
    available = mpy.application()
    profile, driver, transport = config["profile"], config["driver"]["name"], config["transport"]
    if transport == "gateway":
        raise UserError(
            f"{profile}: the gateway drives this display itself, so there is nothing to flash or"
            " to simulate; right: name it in hall.toml, and hall gateway run"
        )
    if f"hall/{transport}.mpy" not in available:
        raise UserError(f"{profile}: this firmware does not speak {transport}")
    if f"hall/drivers/{_DRIVER_MODULES.get(driver, driver)}.mpy" not in available:
        raise UserError(f"{profile}: driver {driver} is not in this firmware")
