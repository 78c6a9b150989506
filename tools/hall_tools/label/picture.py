"""One label as a picture of black and white pixels, sharp at the resolution of a printer.

Here: drawing. Not here: what is on a label (content.py), sheets of labels (sheet.py).

Latin text is in the typeface that Pillow brings, Chinese in the glyphs of the displays, by pixels:
neither needs a font on this machine.
"""

from functools import cache
from importlib import import_module
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from hall_tools.label.content import Label
from hall_tools.mpy import firmware_root

DPI = 600
QUIET_MODULES = 4
"""The white margin that a QR code must have on each side (ISO/IEC 18004)."""

WHITE, BLACK = 1, 0
_GLYPH = 16
_SIZE = 0.78
"""Of a line's height: what is left holds the tails of letters."""


def pixels(mm: float) -> int:
    """A length on paper as pixels."""
    return round(mm * DPI / 25.4)


def draw(label: Label, width_mm: float, height_mm: float, padding_mm: float) -> Image.Image:
    """The label, in mode "1": its QR code on the left, the words beside it."""
    image = Image.new("1", (pixels(width_mm), pixels(height_mm)), WHITE)
    padding = pixels(padding_mm)
    code = _code(label, image.height - 2 * padding)
    image.paste(code, (padding, (image.height - code.height) // 2))
    left = padding + code.width
    _words(image, label, (left, padding, image.width - padding, image.height - padding))
    return image


def _code(label: Label, size: int) -> Image.Image:
    """The QR code with its quiet zone, at most `size` pixels, every module as large as the next."""
    modules = label.modules()
    across = len(modules) + 2 * QUIET_MODULES
    scale = size // across
    small = Image.new("1", (across, across), WHITE)
    for y, row in enumerate(modules):
        for x, dark in enumerate(row):
            if dark:
                small.putpixel((x + QUIET_MODULES, y + QUIET_MODULES), BLACK)
    return _enlarged(small, scale)


def _words(image: Image.Image, label: Label, box: tuple[int, int, int, int]) -> None:
    """The device's id largest, then where it goes, then what it is."""
    left, top, right, bottom = box
    shares = (
        (label.device, 0.30),
        (label.where, 0.22),
        (label.profile.title.zh, 0.19),
        (label.profile.title.en, 0.15),
        (label.small_print, 0.14),
    )
    y = top
    for text, share in shares:
        height = int((bottom - top) * share)
        line = _line(text, right - left, int(height * 0.92))
        image.paste(line, (left, y + (height - line.height) // 2))
        y += height


def _line(text: str, width: int, height: int) -> Image.Image:
    """`text` as large as fits."""
    plain = text.replace("×", "x")  # which the typeface does not have
    if plain.isascii():
        return _latin(plain, width, height)
    return _glyphs(text, width, height)


def _latin(text: str, width: int, height: int) -> Image.Image:
    size = int(height * _SIZE)
    while size > 1 and _font(size).getlength(text) > width:
        size -= 1
    image = Image.new("1", (width, height), WHITE)
    pen = ImageDraw.Draw(image)
    pen.fontmode = "1"
    pen.text((0, height // 2), text, fill=BLACK, font=_font(size), anchor="lm")
    return image


def _glyphs(text: str, width: int, height: int) -> Image.Image:
    pack = _pack()
    parts = [pack.get(char) for char in text]
    across = sum(part[0] for part in parts)
    small = Image.new("1", (across, _GLYPH), WHITE)
    x = 0
    for wide, bitmap in parts:
        bits = Image.frombytes("1", (wide, _GLYPH), bytes(byte ^ 0xFF for byte in bitmap))
        small.paste(bits, (x, 0))
        x += wide
    return _enlarged(small, min(height / _GLYPH, width / across))


def _enlarged(image: Image.Image, scale: float) -> Image.Image:
    """Every pixel as a square of `scale` pixels, or of one less or more where that is no integer:
    on paper a twentieth of a millimetre."""
    size = (int(image.width * scale), int(image.height * scale))
    return image.resize(size, Image.Resampling.NEAREST)  # pyright: ignore[reportUnknownMemberType]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow's wheels have FreeType
    return font


@cache
def _pack() -> Any:
    glyphs = import_module("hall_firmware.hall.glyphs")
    return glyphs.GlyphPack(str(firmware_root() / "hall" / "glyphs.bin"))
