"""Seven-segment digits as a PNG: as one sees them behind their smoked window.

Here: the shape of a digit, the light of its segments. Not here: panels of single LEDs (png.py), and
which segments are lit (max7219.py).
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Point = tuple[float, float]

WIDTH, HEIGHT = 56, 92
"""Pixels that one digit takes, with the gap to the next."""

RIM = 4
"""Pixels left and right of all digits."""

_FINE = 4  # drawn so much larger, then averaged
_LEFT, _RIGHT, _TOP, _MIDDLE, _BOTTOM = 12.0, 38.0, 14.0, 46.0, 78.0
_HALF = 3.6  # of a segment's thickness
_GAP = 1.2
_SLANT = 0.12  # to the right for each pixel upwards: about 7 degrees
_DOT, _DOT_RADIUS = (47.5, 77.0), 4.2

_WINDOW = (14, 10, 10)
_DARK, _LIT, _GLOW = (34, 20, 20), (255, 48, 28), (102, 19, 11)


@dataclass(frozen=True)
class Digits:
    """What a seven-segment display shows, from the left: of each digit DP A B C D E F G from bit
    7, 1 for a lit segment."""

    segments: bytes


def render(digits: Digits) -> bytes:
    """A PNG of WIDTH pixels a digit and the rim, HEIGHT pixels high.

    How bright a lit segment is makes no difference: what is dimmed for a dark hall is as bright to
    eyes that are used to the dark.
    """
    size = (2 * RIM + WIDTH * len(digits.segments), HEIGHT)
    fine = (size[0] * _FINE, size[1] * _FINE)
    masks = [Image.new("L", fine), Image.new("L", fine)]  # of what is dark, and of what is lit
    draws = [ImageDraw.Draw(mask) for mask in masks]
    for place, segments in enumerate(digits.segments):
        for bit, shape in enumerate(_SHAPES):
            draws[segments >> bit & 1].polygon(_placed(shape, place), fill=255)
        draws[segments >> 7].ellipse(_placed(_dot_box(), place), fill=255)
    dark, lit = (mask.reduce(_FINE) for mask in masks)
    image = Image.new("RGB", size, _WINDOW)
    image.paste(_DARK, mask=dark)
    image.paste(_LIT, mask=lit)
    glow = Image.composite(
        Image.new("RGB", size, _GLOW),
        Image.new("RGB", size),
        lit.filter(ImageFilter.GaussianBlur(5)),
    )
    image = ImageChops.add(image, glow)
    file = io.BytesIO()
    image.quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _bar(left: float, right: float, y: float) -> list[Point]:
    """A horizontal segment, pointed at both ends."""
    left, right, half = left + _GAP, right - _GAP, _HALF
    return [
        (left, y),
        (left + half, y - half),
        (right - half, y - half),
        (right, y),
        (right - half, y + half),
        (left + half, y + half),
    ]


def _post(x: float, top: float, bottom: float) -> list[Point]:
    """An upright segment, pointed at both ends."""
    return [(x + across, along) for along, across in _bar(top, bottom, 0.0)]


_SHAPES = (
    _bar(_LEFT, _RIGHT, _MIDDLE),  # G
    _post(_LEFT, _TOP, _MIDDLE),  # F
    _post(_LEFT, _MIDDLE, _BOTTOM),  # E
    _bar(_LEFT, _RIGHT, _BOTTOM),  # D
    _post(_RIGHT, _MIDDLE, _BOTTOM),  # C
    _post(_RIGHT, _TOP, _MIDDLE),  # B
    _bar(_LEFT, _RIGHT, _TOP),  # A
)
"""By bit, 0 to 6."""


def _dot_box() -> list[Point]:
    (x, y), r = _DOT, _DOT_RADIUS
    return [(x - r, y - r), (x + r, y + r)]


def _placed(points: Sequence[Point], place: int) -> list[Point]:
    """Slanted, at its digit's place, in fine pixels."""
    return [
        ((x + _SLANT * (_BOTTOM - y) + RIM + WIDTH * place) * _FINE, y * _FINE) for x, y in points
    ]
