"""Reading a panel's picture as a person does: which characters are lit, not which were meant.

Here: pictures, and finding glyphs in them. Not here: how a picture comes about (hall_panel) and how
text is drawn (firmware/hall/canvas.py). The shapes are those of the glyph pack, whose format is
in firmware/hall/glyphs.py.
"""

import functools
import re
import struct
from dataclasses import dataclass
from importlib import resources
from typing import Any, Self

_LINE = 16
_TICKET = re.compile(r"[A-Z]\d{3}")

Shape = tuple[int, ...]
"""One integer a row, the leftmost pixel in the highest bit."""


@dataclass(frozen=True)
class Picture:
    """A panel's picture: one integer a row, the leftmost of `width` pixels in the highest bit.

    `rows` are lit in any colour. A panel that has several also has `planes`, the rows of each: red,
    green, and blue if there is.
    """

    width: int
    height: int
    rows: Shape
    planes: tuple[Shape, ...] = ()

    def dots(self) -> list[list[int]]:
        """Of each row, the sum of each pixel's lit colours: 1 red, or lit in the one that there is;
        2 green, 4 blue."""
        planes = self.planes or (self.rows,)
        return [
            [
                sum((row >> shift & 1) << plane for plane, row in enumerate(rows))
                for shift in range(self.width - 1, -1, -1)
            ]
            for rows in zip(*planes, strict=True)
        ]

    def part(self, x: int, y: int, width: int) -> Shape:
        """The 16 rows from `y`, cut to `width` columns from `x`."""
        shift, mask = self.width - x - width, (1 << width) - 1
        return tuple(row >> shift & mask for row in self.rows[y : y + _LINE])

    @classmethod
    def of_panel(cls, panel: dict[str, Any]) -> Self:
        """What a simulated device's line has under "panel" (hall_panel.picture)."""
        planes = tuple(_integers(rows) for rows in panel.get("colours", ()))
        return cls(panel["w"], panel["h"], _integers(panel["rows"]), planes)


def _integers(rows: list[str]) -> Shape:
    return tuple(int(row, 16) for row in rows)


class Eyes:
    """Knows the shapes of the glyph pack."""

    def __init__(self) -> None:
        self._known = _shapes()

    def read(self, picture: Picture) -> str:
        """The lines of text in the picture, separated by newlines; what is no glyph is not read."""
        lines: list[str] = []
        y = 0
        while y <= picture.height - _LINE:
            line = self._line(picture, y)
            if line:
                lines.append(line)
            y += _LINE if line else 1
        return "\n".join(lines)

    def _line(self, picture: Picture, y: int) -> str:
        text = ""
        x = 0
        while x <= picture.width - 8:
            char = self._known.get((8, picture.part(x, y, 8)))
            wide = x <= picture.width - 16 and self._known.get((16, picture.part(x, y, 16)))
            text += wide or char or ""
            x += 16 if wide else 8 if char else 1
        return text


def ticket_in(text: str) -> str | None:
    """The one ticket in `text`; None when there is none, or more than one."""
    found = set(_TICKET.findall(text))
    return found.pop() if len(found) == 1 else None


@functools.cache
def _shapes() -> dict[tuple[int, Shape], str]:
    pack = resources.files("hall_firmware").joinpath("hall/glyphs.bin").read_bytes()
    narrow, wide = struct.unpack_from("<HH", pack, 4)
    codes = struct.unpack_from(f"<{narrow + wide}H", pack, 12)
    offset = 12 + 2 * (narrow + wide)
    shapes: dict[tuple[int, Shape], str] = {}
    for index, code in enumerate(codes):
        width = 8 if index < narrow else 16
        rows = struct.unpack_from(">16B" if width == 8 else ">16H", pack, offset)
        offset += 2 * width
        # Two characters may look the same, as Latin A and a Greek one: the first is read.
        if any(rows):
            shapes.setdefault((width, rows), chr(code))
    return shapes
