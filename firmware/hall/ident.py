"""Who this device is and what it proves it with: the `ident` partition, two copies with a CRC.

A copy is a sector: b"HKID", version u16, length u16, generation u32, content as JSON, CRC-32 of all
that, little endian. The valid copy of the highest generation counts. Here: reading it. Writing is
the installer's (tools/hall_tools/image/ident.py).
"""

import json
import struct
from binascii import crc32

from micropython import const

_HEADER = "<4sHHI"
_HEADER_BYTES = const(12)
_MAGIC = b"HKID"
_VERSION = const(1)
_SECTOR = const(4096)
_CLAIM_BYTES = const(16)
# The last bytes of a sector: zeros once the keys have been used.
_MARK_BYTES = const(16)
_MARK_AT = _SECTOR - _MARK_BYTES
_UNUSED = b"\xff" * _MARK_BYTES


def read(block):
    """{"device", "psk": hex or None, "claim": hex or missing, "wifi": [[ssid, password], ...],
    "oscore": {"secret", "salt", "id", "gateway_id": hex, "start": int or missing} or missing}.

    `block` is an esp32.Partition.

    ValueError: neither copy is valid, or the content is not that.
    """
    newest = None
    for sector in range(2):
        copy = _copy(block, sector)
        if copy and (newest is None or copy[0] > newest[0]):
            newest = copy
    if newest is None:
        raise ValueError("ident: no valid copy, enrol this device again")
    ident = json.loads(newest[1])
    if not isinstance(ident, dict) or not isinstance(ident.get("device"), str):
        raise ValueError("ident: no device id")
    if not isinstance(ident.get("wifi"), list):
        raise ValueError("ident: no list of Wi-Fi networks")
    for network in ident["wifi"]:
        if not isinstance(network, list) or [type(part) for part in network] != [str, str]:
            raise ValueError("ident: a Wi-Fi network is not [ssid, password]")
    if ident.get("psk") is not None:
        _check_hex(ident, "psk", "psk")
    claim = ident.get("claim")
    if claim is not None:
        if not isinstance(claim, str) or len(claim) != 2 * _CLAIM_BYTES:
            raise ValueError("ident: claim is not %d bytes in hex" % _CLAIM_BYTES)
        _check_hex(ident, "claim", "claim")
    if "oscore" in ident:
        _check_oscore(ident["oscore"])
    return ident


def used(block):
    """Whether mark_used() was called since the identity was written."""
    mark = bytearray(_MARK_BYTES)
    for sector in range(2):
        block.readblocks(sector, mark, _MARK_AT)
        if mark != _UNUSED:
            return True
    return False


def mark_used(block):
    """From now on these keys have been used, whatever is cut when. OSError: it is not to be noted.

    Behind a copy's content, on flash that programs single bits without an erase.
    """
    for sector in range(2):
        block.writeblocks(sector, bytes(_MARK_BYTES), _MARK_AT)
    if not used(block):
        raise OSError("ident: the flash does not take the mark")


def _check_oscore(keys):
    for name in ("secret", "salt", "id", "gateway_id"):
        _check_hex(keys, name, "oscore " + name)
    start = keys.get("start", 0)
    if type(start) is not int or not 0 <= start < 1 << 32:
        raise ValueError("ident: oscore start is no number of 32 bits")


def _check_hex(keys, name, what):
    try:
        bytes.fromhex(keys[name])
    except (TypeError, KeyError, ValueError):
        raise ValueError("ident: %s is not in hex, enrol this device again" % what)


def _copy(block, sector):
    """(generation, content) of one copy, or None when it is not valid."""
    raw = bytearray(_SECTOR)
    block.readblocks(sector, raw, 0)
    magic, version, length, generation = struct.unpack_from(_HEADER, raw)
    end = _HEADER_BYTES + length
    if magic != _MAGIC or version != _VERSION or end + 4 > _MARK_AT:
        return None
    view = memoryview(raw)
    if struct.unpack("<I", view[end : end + 4])[0] != crc32(view[:end]):
        return None
    return generation, bytes(view[_HEADER_BYTES:end])
