"""A panel's picture on a terminal, dot by dot.

Here: half blocks (one column a dot) and braille (two columns a character, for narrow screens). Not
here: where on the screen it stands.
"""

from itertools import groupby

from rich.style import Style
from rich.text import Text

from hall_tools.demo.eyes import Picture

_BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Unicode's bit for each dot of a braille pattern, by row and column."""

_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def half_blocks(picture: Picture, lit: str, dark: str) -> Text:
    """`picture` in colours `lit` and `dark`; half as many lines as it has rows."""
    text = Text(no_wrap=True)
    for y in range(0, picture.height, 2):
        columns = ((picture.lit(x, y), picture.lit(x, y + 1)) for x in range(picture.width))
        for (upper, lower), run in groupby(columns):
            char = _HALVES[upper, lower]
            style = Style(color=lit, bgcolor=lit if upper and lower else dark)
            text.append(char * len(list(run)), style)
        if y + 2 < picture.height:
            text.append("\n")
    return text


def braille(picture: Picture, lit: str, dark: str) -> Text:
    """`picture` in a quarter as many lines as it has rows, half as wide."""
    style = Style(color=lit, bgcolor=dark)
    lines = ("".join(_cells(picture, y)) for y in range(0, picture.height, 4))
    return Text("\n".join(lines), style, no_wrap=True)


def _cells(picture: Picture, y: int) -> list[str]:
    return [
        chr(
            _BRAILLE
            + sum(
                bit
                for row, bits in enumerate(_DOTS)
                for column, bit in enumerate(bits)
                if picture.lit(x + column, y + row)
            )
        )
        for x in range(0, picture.width, 2)
    ]
