"""Builds the glyph pack of the matrix displays from GNU Unifont.

Here: which characters a display must have, and the pack's bytes. Not here: its format, which is
described where it is read, in firmware/hall/glyphs.py.
"""

import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

from hall_tools.errors import UserError

#: Where Debian's package `unifont` puts the font; version 15.0.01 made the committed pack.
UNIFONT = Path("/usr/share/unifont/unifont.hex")

_MAGIC = b"HKG1"
# Hexadecimal digits of a glyph of 16 rows of 8, and of 16 pixels.
_HEX_DIGITS = (32, 64)


def characters() -> frozenset[str]:
    """ASCII and all of GB/T 2312-1980 (levels 1 and 2 and its symbols).

    Two codes of GB 2312 mean different characters in Python's gb2312 and in GBK, which is what
    input methods type: both the middle dot U+00B7 and U+30FB, both dashes U+2014 and U+2015.
    """
    found = {chr(code) for code in range(0x20, 0x7F)}
    for lead in range(0xA1, 0xF8):
        for trail in range(0xA1, 0xFF):
            code = bytes((lead, trail))
            try:
                found.add(code.decode("gb2312"))
            except UnicodeDecodeError:
                continue  # not every code is taken
            found.add(code.decode("gbk"))
    return frozenset(found)


def build_pack(hex_lines: Iterable[str], wanted: Iterable[str]) -> bytes:
    """The pack of the `wanted` characters, all in the basic plane, from lines `CODE:BITMAP`.

    The same input always gives the same bytes. UserError (EX_DATAERR) when a line is not Unifont's
    format or a wanted character has no glyph.
    """
    codes = {ord(character) for character in wanted}
    found: dict[int, bytes] = {}
    for number, line in enumerate(hex_lines, start=1):
        code, bitmap = _glyph(line.strip(), number)
        if code in codes:
            found[code] = bitmap
    if missing := codes - found.keys():
        first = min(missing)
        raise UserError(
            f"the font lacks {len(missing)} of {len(codes)} characters, the first is "
            f"U+{first:04X} {chr(first)}: use GNU Unifont 15 or newer"
        )
    narrow = sorted(code for code, bitmap in found.items() if len(bitmap) == 16)
    wide = sorted(code for code, bitmap in found.items() if len(bitmap) == 32)
    body = struct.pack(f"<{len(codes)}H", *narrow, *wide)
    body += b"".join(found[code] for code in narrow + wide)
    return _MAGIC + struct.pack("<HHI", len(narrow), len(wide), zlib.crc32(body)) + body


def build(source: Path, target: Path) -> int:
    """Writes the pack of `characters()` from the font file `source` and returns its size in bytes.

    UserError: EX_NOINPUT when there is no such font, EX_DATAERR when it is not the right one,
    EX_CANTCREAT when `target` cannot be written.
    """
    try:
        lines = source.read_text("ascii").splitlines()
    except OSError as error:
        raise UserError(
            f"{source}: cannot read the font: {error.strerror}; apt-get install unifont",
            os.EX_NOINPUT,
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{source}: not a Unifont .hex file: byte {error.start}") from error
    pack = build_pack(lines, characters())
    try:
        target.write_bytes(pack)
    except OSError as error:
        raise UserError(f"{target}: cannot write: {error.strerror}", os.EX_CANTCREAT) from error
    return len(pack)


def _glyph(line: str, number: int) -> tuple[int, bytes]:
    code, _, digits = line.partition(":")
    try:
        if len(digits) not in _HEX_DIGITS:
            raise ValueError
        return int(code, 16), bytes.fromhex(digits)
    except ValueError:
        raise UserError(
            f"line {number}: expected CODE:BITMAP with 32 or 64 hexadecimal digits, got {line[:40]}"
        ) from None
