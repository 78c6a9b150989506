"""A display's picture in a terminal, in the colours of its LEDs.

Here: half blocks (one column a LED), braille for narrow terminals (two columns of LEDs a
character), and seven segments in three lines. Not here: how a picture comes about (`hall_panel`).
"""

from hall_panel.digits_png import Digits
from hall_panel.picture import Picture
from rich.color import Color
from rich.style import Style
from rich.text import Text

_LED = {
    1: "#ff3b30",
    2: "#30e060",
    3: "#ffc400",
    4: "#3b7bff",
    5: "#ff50ff",
    6: "#30e0ff",
    7: "#ffffff",
}
"""What a terminal shows for the sum of a LED's lit colours: red 1, green 2, blue 4."""
_BOARD = Color.parse("#121214")
_BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Unicode's bit for each dot of a braille pattern, by row and column."""


def draw(picture: Picture | Digits, columns: int) -> Text:
    """The picture for a terminal of so many columns. Without colours it is still readable."""
    if isinstance(picture, Digits):
        return _segments(picture)
    return _half_blocks(picture) if picture.width <= columns else _braille(picture)


def _colours(picture: Picture) -> list[list[int]]:
    """Of each row, the sum of each LED's lit colours."""
    rows = [[0] * picture.width for _ in range(picture.height)]
    for plane, octets in enumerate(picture.planes):
        for place in range(picture.width * picture.height):
            lit = octets[place // 8] >> 7 - place % 8 & 1
            rows[place // picture.width][place % picture.width] |= lit << plane
    return rows


def _half_blocks(picture: Picture) -> Text:
    rows = _colours(picture)
    text = Text(no_wrap=True)
    for y in range(0, picture.height, 2):
        for upper, lower in zip(rows[y], rows[y + 1], strict=True):
            if upper == lower:
                text.append("█" if upper else " ", _style(upper, 0))
            elif upper:
                text.append("▀", _style(upper, lower))
            else:
                text.append("▄", _style(lower, 0))
        text.append("\n")
    text.right_crop()
    return text


def _braille(picture: Picture) -> Text:
    rows = _colours(picture)
    text = Text(no_wrap=True)
    for y in range(0, picture.height, 4):
        for x in range(0, picture.width, 2):
            pattern = colour = 0
            for row, bits in enumerate(_DOTS):
                for column, bit in enumerate(bits):
                    lit = rows[y + row][x + column]
                    pattern |= bit if lit else 0
                    colour |= lit
            text.append(chr(_BRAILLE + pattern), _style(colour, 0))
        text.append("\n")
    text.right_crop()
    return text


def _style(colour: int, behind: int) -> Style:
    return Style(
        color=_LED[colour] if colour else None,
        bgcolor=Color.parse(_LED[behind]) if behind else _BOARD,
    )


def _segments(digits: Digits) -> Text:
    """Each digit three characters wide, and its dot behind it."""
    lines = [" ", " ", " "]
    for lit in digits.segments:
        dot, a, b, c, d, e, f, g = (bool(lit >> bit & 1) for bit in range(7, -1, -1))
        lines[0] += f" {'_' if a else ' '}  "
        lines[1] += f"{'|' if f else ' '}{'_' if g else ' '}{'|' if b else ' '} "
        lines[2] += f"{'|' if e else ' '}{'_' if d else ' '}{'|' if c else ' '}"
        lines[2] += "." if dot else " "
    return Text("\n".join(lines), Style(color=_LED[1], bgcolor=_BOARD, bold=True), no_wrap=True)
