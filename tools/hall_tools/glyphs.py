"""Builds the glyph pack of the matrix displays from GNU Unifont.

Here: which characters a display must have, and the pack's bytes. Not here: its format, which is
described where it is read, in firmware/hall/glyphs.py; or the formats of fonts, which FreeType
reads, through Pillow.
"""

import gzip
import io
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hall_tools.errors import UserError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

#: Where Debian's package xfonts-unifont puts the font; version 15.0.01 made the committed pack.
UNIFONT = Path("/usr/share/fonts/X11/misc/unifont.pcf.gz")

_MAGIC = b"HKG1"
_HEIGHT = 16
_GZIP = b"\x1f\x8b"
# No font has it: Unicode keeps it free of any character. So it is drawn as a missing one is.
_NO_CHARACTER = "\uffff"


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


def build_pack(font: bytes, wanted: Iterable[str]) -> bytes:
    """The pack of the `wanted` characters, all in the basic plane, from the content of a font file.

    `font` is in any format of FreeType's (PCF, BDF, OpenType), or gzip around it. The same input
    always gives the same bytes. UserError (EX_DATAERR) when it is no font of 16 pixels, when a
    wanted character has no glyph, or one that is neither 8 nor 16 pixels wide.
    """
    face = _face(font)
    sign = _drawn(face, _NO_CHARACTER)
    glyphs: dict[int, dict[str, bytes]] = {8: {}, 16: {}}
    missing: list[str] = []
    for character in sorted(wanted):
        width, bitmap = glyph = _drawn(face, character)
        if glyph == sign and (any(bitmap) or not character.isspace()):
            missing.append(character)
        elif width not in glyphs:
            raise UserError(f"the glyph of {_named(character)} is {width:g} pixels, not 8 or 16")
        else:
            glyphs[int(width)][character] = bitmap
    if missing:
        count = f"{len(missing)} of the characters, the first is {_named(missing[0])}"
        raise UserError(f"the font lacks {count}: use GNU Unifont 15 or newer")
    codes = [ord(character) for by_code in glyphs.values() for character in by_code]
    body = struct.pack(f"<{len(codes)}H", *codes)
    body += b"".join(bitmap for by_code in glyphs.values() for bitmap in by_code.values())
    narrow, wide = (len(by_code) for by_code in glyphs.values())
    return _MAGIC + struct.pack("<HHI", narrow, wide, zlib.crc32(body)) + body


def build(source: Path, target: Path) -> int:
    """Writes the pack of `characters()` from the font file `source` and returns its size in bytes.

    UserError: EX_NOINPUT when there is no such font, EX_DATAERR when it is not the right one,
    EX_CANTCREAT when `target` cannot be written.
    """
    try:
        font = source.read_bytes()
    except OSError as error:
        raise UserError(
            f"{source}: cannot read the font: {error.strerror}; apt-get install xfonts-unifont, "
            "or name another file of GNU Unifont with --font",
            os.EX_NOINPUT,
        ) from error
    try:
        pack = build_pack(font, characters())
    except UserError as error:
        raise UserError(f"{source}: {error}", error.exit_code) from error
    try:
        target.write_bytes(pack)
    except OSError as error:
        raise UserError(f"{target}: cannot write: {error.strerror}", os.EX_CANTCREAT) from error
    return len(pack)


def _face(font: bytes) -> "FreeTypeFont":
    from PIL import ImageFont  # late: `hall` starts without it

    try:
        if font.startswith(_GZIP):  # FreeType reads through gzip too, but 1000 times slower
            font = gzip.decompress(font)
        face = ImageFont.truetype(io.BytesIO(font), _HEIGHT, layout_engine=ImageFont.Layout.BASIC)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"not a font of {_HEIGHT} pixels in PCF, BDF or OpenType: {error}"
        ) from error
    if sum(face.getmetrics()) != _HEIGHT:
        raise UserError(f"a font of {sum(face.getmetrics())} pixels, not of {_HEIGHT}")
    return face


def _drawn(face: "FreeTypeFont", character: str) -> tuple[float, bytes]:
    """The width in pixels, and the rows from the top, each from a new byte on."""
    from PIL import Image, ImageDraw

    width = face.getlength(character)
    picture = Image.new("1", (int(width), _HEIGHT))
    try:
        ImageDraw.Draw(picture).text((0, 0), character, fill=1, font=face)
    except OSError as error:  # of FreeType, for one of thousands of pixels
        raise UserError(f"the glyph of {_named(character)} cannot be drawn: {error}") from None
    return width, picture.tobytes()


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {character}"
