"""A picture as PNG: round LEDs on a black panel, each in its own light.

Here: a panel's dots as pixels, by Pillow. Not here: what is shown.
"""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw

from hall_panel.picture import Picture

# What a screen shows best for the light of common LEDs of 625, 525 and 465 nm; judged by eye.
_LEDS = (255, 38, 22), (48, 255, 72), (40, 90, 255)
_LENS = (26, 26, 28)  # a dark LED's lens, as it looks in a lit hall
_BOARD = (8, 8, 9)
_GAMMA = 2.2  # of a screen (sRGB, nearly): half the light is 186 of 255
_FINE = 8  # each LED is drawn so much larger first, for a smooth edge


def png(picture: Picture, dot: int = 8) -> bytes:
    """The picture, `dot` pixels a LED each way, at least 3, and a rim of as many pixels. Raises
    ValueError.

    An evenly lit LED has full colour, whatever its share of the time; less light is darker.
    """
    if dot < 3:
        raise ValueError(f"png: {dot} pixels a LED, must be at least 3")
    size = picture.width, picture.height
    leds = Image.new("RGB", size)
    for light, colour in zip(picture.light, _LEDS, strict=False):
        plane = Image.frombytes("L", size, _levels(light, picture)).convert("RGB")
        leds = ImageChops.add(leds, ImageChops.multiply(plane, Image.new("RGB", size, colour)))
    leds = ImageChops.lighter(leds, Image.new("RGB", size, _LENS))
    large = picture.width * dot, picture.height * dot
    leds = _resized(leds, large, Image.Resampling.NEAREST)
    board = Image.new("RGB", (large[0] + 2 * dot, large[1] + 2 * dot), _BOARD)
    board.paste(leds, (dot, dot), _lenses(picture, dot))
    octets = BytesIO()
    # Light adds up to few colours: with a palette the file is half as large.
    board.quantize(128, dither=Image.Dither.NONE).save(octets, "PNG", optimize=True)
    return octets.getvalue()


def _levels(light: Sequence[int], picture: Picture) -> bytes:
    """What a screen needs to show the light of each LED of one colour."""
    full = picture.full_ns or 1
    level = {ns: round(255 * min(ns / full, 1) ** (1 / _GAMMA)) for ns in set(light)}
    return bytes(level[ns] for ns in light)


def _lenses(picture: Picture, dot: int) -> Image.Image:
    """What of the picture is lens: a disc a LED."""
    one = Image.new("L", (dot * _FINE, dot * _FINE), 0)
    edge = dot * _FINE // 16
    ImageDraw.Draw(one).ellipse((edge, edge, dot * _FINE - 1 - edge, dot * _FINE - 1 - edge), 255)
    disc = _resized(one, (dot, dot), Image.Resampling.BOX)
    row = Image.new("L", (picture.width * dot, dot))
    for x in range(picture.width):
        row.paste(disc, (x * dot, 0))
    discs = Image.new("L", (picture.width * dot, picture.height * dot))
    for y in range(picture.height):
        discs.paste(row, (0, y * dot))
    return discs


def _resized(image: Image.Image, size: tuple[int, int], how: Image.Resampling) -> Image.Image:
    # Its type names NumPy, which is not installed.
    return image.resize(size, how)  # pyright: ignore[reportUnknownMemberType]
