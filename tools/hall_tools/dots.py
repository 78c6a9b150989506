"""A display's picture on a terminal, dot by dot or digit by digit.

Here: half blocks (one column a dot), braille for narrow terminals (two columns of dots a
character), and seven segments in three lines. Not here: where on a screen it stands, and how a
picture comes about (`hall_panel`).
"""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from rich.style import Style
from rich.text import Text

Dots = Sequence[Sequence[int]]
"""Of each row, the sum of each dot's lit colours: 1 red, 2 green, 4 blue."""

Palette = Sequence[str]
"""The colour on the terminal of each such sum, that of a dark dot first."""

PALETTE: Palette = (
    *("#141414", "#ff4a3d", "#3dd35a", "#ffc933"),
    *("#4a7dff", "#e85cff", "#45d8e8", "#f4f4f4"),
)

_BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Unicode's bit for each dot of a braille pattern, by row and column."""


def half_blocks(dots: Dots, palette: Palette = PALETTE) -> Text:
    """Half as many lines as there are rows."""
    text = Text(no_wrap=True)
    for y in range(0, len(dots), 2):
        for (upper, lower), run in groupby(zip(dots[y], dots[y + 1], strict=True)):
            char, ink, ground = _half_block(upper, lower)
            style = Style(color=palette[ink], bgcolor=palette[ground])
            text.append(char * len(list(run)), style)
        if y + 2 < len(dots):
            text.append("\n")
    return text


def braille(dots: Dots, palette: Palette = PALETTE) -> Text:
    """A quarter as many lines as there are rows, half as wide.

    A character has one colour: that of most of its lit dots.
    """
    text = Text(no_wrap=True)
    for y in range(0, len(dots), 4):
        cells = (_cell(dots, x, y) for x in range(0, len(dots[y]), 2))
        for ink, run in groupby(cells, key=lambda cell: cell[1]):
            style = Style(color=palette[ink], bgcolor=palette[0])
            text.append("".join(char for char, _ in run), style)
        if y + 4 < len(dots):
            text.append("\n")
    return text


def segments(digits: bytes) -> Text:
    """Seven segments and a dot a digit: DP A B C D E F G from bit 7. Each digit is three characters
    wide, and its dot stands behind it."""
    lines = [" ", " ", " "]
    for lit in digits:
        dot, a, b, c, d, e, f, g = (bool(lit >> bit & 1) for bit in range(7, -1, -1))
        lines[0] += f" {'_' if a else ' '}  "
        lines[1] += f"{'|' if f else ' '}{'_' if g else ' '}{'|' if b else ' '} "
        lines[2] += f"{'|' if e else ' '}{'_' if d else ' '}{'|' if c else ' '}"
        lines[2] += "." if dot else " "
    return Text("\n".join(lines), Style(color=PALETTE[1], bgcolor=PALETTE[0]), no_wrap=True)


def _half_block(upper: int, lower: int) -> tuple[str, int, int]:
    """The character for two dots, the colour of its ink, and that of its ground."""
    if upper == lower:
        return "█" if upper else " ", upper, upper
    return ("▀", upper, lower) if upper else ("▄", lower, upper)


def _cell(dots: Dots, x: int, y: int) -> tuple[str, int]:
    """A braille character and its colour."""
    code = _BRAILLE
    colours: Counter[int] = Counter()
    for row, bits in enumerate(_DOTS):
        for column, bit in enumerate(bits):
            colour = dots[y + row][x + column]
            if colour:
                code += bit
                colours[colour] += 1
    return chr(code), colours.most_common(1)[0][0] if colours else 0
