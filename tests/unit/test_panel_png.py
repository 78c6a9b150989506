"""A picture of a panel as PNG: each LED a disc in its light."""

from io import BytesIO

import pytest
from hall_panel.picture import of_light
from hall_panel.png import png
from PIL import Image

# In the first row, from the left: dark, half lit, lit, lit for twice as long as the others.
RED = [[0, 50, 100, 200, 0, 0, 0, 0], [100, 0, 0, 0, 0, 0, 0, 100]]
GREEN = [[0, 0, 0, 200, 0, 0, 0, 100], [0] * 8]
BLUE = [[100, 0, 0, 0, 0, 0, 0, 100], [0] * 8]
Colour = tuple[int, int, int]


def image(*planes: list[list[int]], dot: int = 8) -> Image.Image:
    drawn = Image.open(BytesIO(png(of_light(8, 2, planes, 100), dot)))
    assert drawn.format == "PNG"
    return drawn.convert("RGB")


def led(drawn: Image.Image, x: int, y: int, dot: int = 8) -> Colour:
    """The middle of an LED; around all of them is a rim as wide as one."""
    return pixel(drawn, dot + x * dot + dot // 2, dot + y * dot + dot // 2)


def pixel(drawn: Image.Image, x: int, y: int) -> Colour:
    found = drawn.getpixel((x, y))
    assert isinstance(found, tuple)
    red, green, blue = found
    return int(red), int(green), int(blue)


def names(colour: Colour) -> str:
    """The primary colours that are bright in it."""
    return "".join(name for name, level in zip("rgb", colour, strict=True) if level > 128)


def test_one_colour() -> None:
    drawn = image(RED)
    assert drawn.size == (80, 32)
    assert max(led(drawn, 0, 0)) < 40
    assert led(drawn, 0, 0) == led(drawn, 1, 1)
    assert led(drawn, 2, 0)[0] == pytest.approx(255, abs=4)
    assert names(led(drawn, 2, 0)) == "r"
    assert led(drawn, 2, 0) == led(drawn, 3, 0) == led(drawn, 7, 1)
    # Half the light, as a screen shows it.
    assert led(drawn, 1, 0)[0] == pytest.approx(186, abs=4)


def test_two_and_three_colours() -> None:
    drawn = image(RED, GREEN)
    assert [names(led(drawn, x, 0)) for x in (0, 2, 3, 7)] == ["", "r", "rg", "g"]
    drawn = image(RED, GREEN, BLUE)
    assert [names(led(drawn, x, 0)) for x in (0, 2, 3, 7)] == ["b", "r", "rg", "gb"]


@pytest.mark.parametrize("dot", [3, 4, 8, 15])
def test_an_led_is_round(dot: int) -> None:
    drawn = image(RED, dot=dot)
    assert drawn.size == (10 * dot, 4 * dot)
    left, top = 3 * dot, dot
    disc = [[pixel(drawn, left + x, top + y)[0] for x in range(dot)] for y in range(dot)]
    assert disc == disc[::-1] == [row[::-1] for row in disc]
    assert disc[0][0] < 128 < disc[dot // 2][dot // 2]


def test_a_dark_panel_shows_its_leds_and_nothing_bright() -> None:
    drawn = Image.open(BytesIO(png(of_light(8, 2, [[[0] * 8] * 2], 0)))).convert("RGB")
    assert max(pixel(drawn, 0, 0)) < min(led(drawn, 3, 1))
    assert max(drawn.tobytes()) < 40


def test_the_same_picture_is_the_same_file() -> None:
    picture = of_light(8, 2, [RED], 100)
    assert png(picture) == png(picture)


@pytest.mark.parametrize("dot", [2, 0, -1])
def test_an_led_of_no_size_is_refused(dot: int) -> None:
    with pytest.raises(ValueError, match=f"png: {dot} pixels a LED, must be at least 3"):
        png(of_light(8, 2, [RED], 100), dot)
