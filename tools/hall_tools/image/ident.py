"""The ident partition: who a device is, and what it proves it with.

Here: its bits, written and read. Not here: who makes the keys (hall_gateway.keys). The device reads
it in firmware/hall/ident.py.
"""

import json
import struct
import zlib
from typing import Any

from hall_tools.errors import UserError
from hall_tools.image.layout import SECTOR

_HEADER = struct.Struct("<4sHHI")
_MAGIC = b"HKID"
_VERSION = 1
# The end of a copy's sector is the device's: it marks there that the keys have been used.
_MARK = 16


def ident_image(ident: dict[str, Any], generation: int = 1) -> bytes:
    """The ident partition: the same content in two sectors, each enough by itself.

    A copy is b"HKID", version u16, length u16, generation u32 (the larger is the newer), the
    content as JSON, and the CRC-32 of all that, little endian.
    """
    content = json.dumps(ident, separators=(",", ":"), ensure_ascii=False).encode()
    copy = _HEADER.pack(_MAGIC, _VERSION, len(content), generation) + content
    copy += struct.pack("<I", zlib.crc32(copy))
    if len(copy) > SECTOR - _MARK:
        raise UserError(f"ident: {len(copy)} bytes do not fit a copy of {SECTOR - _MARK} bytes")
    return copy.ljust(SECTOR, b"\xff") * 2


def device_in(partition: bytes) -> str | None:
    """The device id in an ident partition that was read from a chip; None when it has none."""
    copies = [_copy(partition[start : start + SECTOR]) for start in (0, SECTOR)]
    valid = [copy for copy in copies if copy is not None]
    # Of two with one generation the first counts, as to the device.
    return max(valid, key=lambda copy: copy[0])[1] if valid else None


def _copy(copy: bytes) -> tuple[int, str] | None:
    """Generation and device id of one copy; None when it is not valid."""
    magic, version, length, generation = _HEADER.unpack_from(copy.ljust(_HEADER.size))
    end = _HEADER.size + length
    if magic != _MAGIC or version != _VERSION:
        return None
    if copy[end : end + 4] != struct.pack("<I", zlib.crc32(copy[:end])):
        return None
    try:
        device: object = json.loads(copy[_HEADER.size : end])["device"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (generation, device) if isinstance(device, str) else None
