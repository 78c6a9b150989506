"""What was seen: which LEDs were lit, and for how long.

Here: light per LED into a picture, and its forms for comparison and for messages. Not here: how
long a row was lit (`eye`), PNG (`png`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Picture:
    """`planes`: one a colour (red; red, green; red, green, blue), rows of bytes from above, the
    leftmost LED in the highest bit: framebuf's MONO_HLSB, as a panel driver's show() takes them.

    `light`: of each plane, the ns that each LED was lit, row by row. `full_ns`: how long an evenly
    driven row was lit; LEDs with more than half of it count as lit in `planes`.
    """

    width: int
    height: int
    planes: tuple[bytes, ...]
    light: tuple[tuple[int, ...], ...]
    full_ns: int

    def rows(self, *planes: int) -> list[str]:
        """Each row as hex digits, the leftmost LED highest; of these planes, or of any colour."""
        row = self.width // 8
        numbers = [
            int.from_bytes(self.planes[plane], "big") for plane in planes or range(len(self.planes))
        ]
        any_colour = 0
        for number in numbers:
            any_colour |= number
        text = any_colour.to_bytes(row * self.height, "big")
        return [text[at : at + row].hex() for at in range(0, len(text), row)]

    def dots(self) -> list[list[int]]:
        """Of each row, the sum of each LED's lit colours: 1 red, 2 green, 4 blue."""
        rows = [[0] * self.width for _ in range(self.height)]
        for plane, octets in enumerate(self.planes):
            for place in range(self.width * self.height):
                lit = octets[place // 8] >> 7 - place % 8 & 1
                rows[place // self.width][place % self.width] |= lit << plane
        return rows

    def panel(self) -> dict[str, Any]:
        """What stands after "panel" in the lines of a simulated device: `w`, `h`, `rows` of any
        colour, and `colours`, the rows of each plane, when there are several."""
        lines: dict[str, Any] = {"w": self.width, "h": self.height, "rows": self.rows()}
        if len(self.planes) > 1:
            lines["colours"] = [self.rows(plane) for plane in range(len(self.planes))]
        return lines

    def ghosts(self) -> tuple[int, float]:
        """LEDs, counted in each colour, that had light and yet do not count as lit; and the light
        of the brightest of them as a share of full_ns."""
        half = self.full_ns / 2
        count, most = 0, 0
        for plane in self.light:
            for light in set(plane):
                if 0 < light <= half:
                    count += plane.count(light)
                    most = max(most, light)
        return count, most / self.full_ns if most else 0.0


def of_light(
    width: int, height: int, light: Sequence[Sequence[Sequence[int]]], full_ns: int
) -> Picture:
    """The picture of the light, in ns, of each plane, each row, each LED."""
    half = full_ns // 2
    planes: list[bytes] = []
    for rows in light:
        table = {ns: "1" if ns > half else "0" for row in rows for ns in set(row)}
        bits = "".join([table[ns] for row in rows for ns in row])
        planes.append(int(bits, 2).to_bytes(width * height // 8, "big"))
    flat = tuple(tuple([ns for row in rows for ns in row]) for rows in light)
    return Picture(width, height, tuple(planes), flat, full_ns)
