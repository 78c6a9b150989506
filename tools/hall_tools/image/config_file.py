"""A device's config as it lies on its flash: read from the file system of a chip or an image.

Here: that one file. Not here: what is in a config (hall_profiles), nor the other files (vfs.py).
"""

import json
from typing import IO, Any, cast

from littlefs import LittleFS, LittleFSError

from hall_tools.image.layout import SECTOR


def config_in(vfs: bytes) -> dict[str, Any]:
    """config.json on a `vfs` partition. Raises ValueError: no file system, no such file, no JSON
    object."""
    disk = LittleFS(block_size=SECTOR, block_count=len(vfs) // SECTOR, mount=False)
    disk.context.buffer = bytearray(vfs)
    try:
        disk.mount()
        with cast("IO[bytes]", disk.open("config.json", "rb")) as file:  # pyright: ignore[reportUnknownMemberType]
            config: object = json.loads(file.read())
    except (LittleFSError, OSError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if not isinstance(config, dict):
        raise ValueError("config.json: not a JSON object")
    return cast("dict[str, Any]", config)
