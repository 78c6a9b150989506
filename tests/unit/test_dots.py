"""A panel's dots on a terminal: each in its place and in its colour."""

from hall_tools import dots
from hall_tools.demo.eyes import Picture
from rich.text import Text

PALETTE = ("black", "red", "green", "yellow")

# Upper row: dark, red, green, both; lower row the other way round.
MIXED = Picture.of_panel({"w": 4, "h": 2, "rows": ["7", "e"], "colours": [["5", "a"], ["3", "c"]]})


def styled(text: Text) -> list[tuple[str, str, str]]:
    """(characters, colour of the ink, colour of the ground) of each piece."""
    pieces: list[tuple[str, str, str]] = []
    for span in text.spans:
        assert not isinstance(span.style, str)
        assert span.style.color
        assert span.style.bgcolor
        colours = span.style.color.name, span.style.bgcolor.name
        pieces.append((text.plain[span.start : span.end], *colours))
    return pieces


def test_a_picture_of_several_colours_is_read_in_all_of_them():
    assert MIXED.rows == (0b0111, 0b1110)
    assert MIXED.dots() == [[0, 1, 2, 3], [3, 2, 1, 0]]


def test_of_one_colour_a_dot_is_lit_or_dark():
    picture = Picture.of_panel({"w": 4, "h": 2, "rows": ["7", "e"]})
    assert picture.dots() == [[0, 1, 1, 1], [1, 1, 1, 0]]


def test_half_blocks_have_two_colours():
    assert styled(dots.half_blocks(MIXED.dots(), PALETTE)) == [
        ("▄", "yellow", "black"),
        ("▀", "red", "green"),
        ("▀", "green", "red"),
        ("▀", "yellow", "black"),
    ]


def test_half_blocks_of_the_same_dots_are_one_piece():
    picture = Picture(8, 4, (0xFF, 0xFF, 0x0F, 0x0F))
    assert styled(dots.half_blocks(picture.dots(), PALETTE)) == [
        ("████████", "red", "red"),
        ("    ", "black", "black"),
        ("████", "red", "red"),
    ]


def test_braille_takes_the_colour_of_most_of_its_dots():
    rows = (0b1100, 0b1000, 0b0000, 0b0000)
    red, green = (0b1000, 0, 0, 0), (0b0100, 0b1000, 0, 0)
    picture = Picture(4, 4, rows, (red, green))
    # Left a cell of a red and two green dots.
    assert styled(dots.braille(picture.dots(), PALETTE)) == [
        ("⠋", "green", "black"),
        ("⠀", "black", "black"),
    ]
    assert styled(dots.braille(Picture(4, 4, rows).dots(), PALETTE))[0] == ("⠋", "red", "black")
