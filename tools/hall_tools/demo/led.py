"""A panel's picture on a terminal, dot by dot.

Here: half blocks (one column a dot) and braille (two columns a character, for narrow screens). Not
here: where on the screen it stands.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from rich.style import Style
from rich.text import Text

from hall_tools.demo.eyes import Picture

Palette = Sequence[str]
"""The colour on the terminal of each Picture.colour(), that of a dark dot first."""

_BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Unicode's bit for each dot of a braille pattern, by row and column."""


def half_blocks(picture: Picture, palette: Palette) -> Text:
    """Half as many lines as the picture has rows."""
    text = Text(no_wrap=True)
    for y in range(0, picture.height, 2):
        columns = ((picture.colour(x, y), picture.colour(x, y + 1)) for x in range(picture.width))
        for (upper, lower), run in groupby(columns):
            char, ink, ground = _half_block(upper, lower)
            style = Style(color=palette[ink], bgcolor=palette[ground])
            text.append(char * len(list(run)), style)
        if y + 2 < picture.height:
            text.append("\n")
    return text


def braille(picture: Picture, palette: Palette) -> Text:
    """A quarter as many lines as the picture has rows, half as wide.

    A character has one colour: that of most of its lit dots.
    """
    text = Text(no_wrap=True)
    for y in range(0, picture.height, 4):
        cells = (_cell(picture, x, y) for x in range(0, picture.width, 2))
        for ink, run in groupby(cells, key=lambda cell: cell[1]):
            style = Style(color=palette[ink], bgcolor=palette[0])
            text.append("".join(char for char, _ in run), style)
        if y + 4 < picture.height:
            text.append("\n")
    return text


def _half_block(upper: int, lower: int) -> tuple[str, int, int]:
    """The character for two dots, the colour of its ink, and that of its ground."""
    if upper == lower:
        return "█" if upper else " ", upper, upper
    return ("▀", upper, lower) if upper else ("▄", lower, upper)


def _cell(picture: Picture, x: int, y: int) -> tuple[str, int]:
    """A braille character and its colour."""
    code = _BRAILLE
    colours: Counter[int] = Counter()
    for row, bits in enumerate(_DOTS):
        for column, bit in enumerate(bits):
            colour = picture.colour(x + column, y + row)
            if colour:
                code += bit
                colours[colour] += 1
    return chr(code), colours.most_common(1)[0][0] if colours else 0
