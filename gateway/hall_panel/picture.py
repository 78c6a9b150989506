"""What was seen: which LEDs were lit, and how brightly.

Here: the picture and its forms for comparison and for messages. Not here: how light becomes a
picture (`eye`), PNG (`png`).
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Picture:
    """`planes`: one a colour (red; red, green; red, green, blue), rows of bytes from above, the
    leftmost LED in the highest bit: framebuf's MONO_HLSB, as a panel driver's show() takes them.

    `light`: of each plane, the ns that each LED was lit, row by row. `full_ns`: the light of an
    evenly lit LED; more than half of it counts as lit in `planes`. 0 when nothing was lit.
    """

    width: int
    height: int
    planes: tuple[bytes, ...]
    light: tuple[tuple[int, ...], ...]
    full_ns: int

    def rows(self, plane: int | None = None) -> list[str]:
        """Each row as hex digits, of one plane or of any colour, the leftmost LED highest."""
        raise NotImplementedError

    def panel(self) -> dict[str, Any]:
        """The {"panel": ...} of a simulated device: w, h, rows, and colours if there are more."""
        raise NotImplementedError

    @property
    def ghosts(self) -> int:
        """LEDs, of each colour, that had some light and yet do not count as lit."""
        raise NotImplementedError

    @property
    def brightest_ghost(self) -> float:
        """The light of the brightest of them, as a share of full_ns."""
        raise NotImplementedError
