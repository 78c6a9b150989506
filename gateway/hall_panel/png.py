"""A picture as PNG: round LEDs on black, each in its own light.

Here: a panel's dots as pixels, by Pillow. Not here: what is shown.
"""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw

from hall_panel.picture import Picture

_OFF = 28  # of 255: a dark LED's lens, as it looks in a lit hall
_GAMMA = 2.2  # of a screen (sRGB, nearly): half the light is 186 of 255
_FINE = 8  # each LED is drawn so much larger first, for a smooth edge


def png(picture: Picture, dot: int = 8) -> bytes:
    """The picture, `dot` pixels a LED each way, at least 3. Raises ValueError.

    An evenly lit LED has full colour, whatever its share of the time; less light is darker.
    """
    if dot < 3:
        raise ValueError(f"png: {dot} pixels a LED, must be at least 3")
    size = picture.width, picture.height
    planes = [Image.frombytes("L", size, _levels(light, picture)) for light in picture.light]
    off = Image.new("L", size, 0)
    colours = Image.merge("RGB", [*planes, off, off][:3])
    lens = Image.new("RGB", size, (_OFF, _OFF, _OFF))
    large = picture.width * dot, picture.height * dot
    dots = _resized(ImageChops.lighter(colours, lens), large, Image.Resampling.NEAREST)
    octets = BytesIO()
    ImageChops.multiply(dots, _lenses(picture, dot)).save(octets, "PNG", optimize=True)
    return octets.getvalue()


def _levels(light: Sequence[int], picture: Picture) -> bytes:
    """What a screen needs to show the light of each LED of one colour."""
    full = picture.full_ns or 1
    level = {ns: round(255 * min(ns / full, 1) ** (1 / _GAMMA)) for ns in set(light)}
    return bytes(level[ns] for ns in light)


def _lenses(picture: Picture, dot: int) -> Image.Image:
    """White discs on black, one a LED."""
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
    return discs.convert("RGB")


def _resized(image: Image.Image, size: tuple[int, int], how: Image.Resampling) -> Image.Image:
    # Its type names NumPy, which is not installed.
    return image.resize(size, how)  # pyright: ignore[reportUnknownMemberType]
