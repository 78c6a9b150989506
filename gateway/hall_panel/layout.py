"""Where each dot of a panel stands: on which data line, at which clock, at which row address.

Here: the cable's lines and the order of the pixels of HUB12, HUB08 and HUB75 modules and their
chains, written from the panels' documentation and from nothing of the firmware:

- HUB12, P10, 1/4 scan: freetronics/DMD, DMD32, board707/DMD_STM32;
- HUB08, F3.75 and P4.75, 1/16 scan: Kubik's F3.75 driver, wwillxu/smart-led, FoxExe/P13.33;
- HUB75, RGB, 1/16 scan: hzeller/rpi-rgb-led-matrix, mrcodetastic's DMA library.

Not here: electrical levels and time (`cable`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Driver = Mapping[str, Any]
"""The driver fields of a device profile: name, width, height, polarities; storeys and row_order."""


@dataclass(frozen=True)
class Kind:
    """A connector. Data lines: of each part of a module, from above, one line a colour."""

    enable: str
    latch: str
    address: tuple[str, ...]
    data: tuple[tuple[str, ...], ...]
    module_height: int
    octets_high: int  # rows of one part that share a data line, eight columns of each in turn


_KINDS = {
    "hub12": Kind("oe", "lat", ("a", "b"), (("r",),), 16, 4),
    "hub08": Kind("en", "stb", ("a", "b", "c", "d"), (("r1", "g1"), ("r2", "g2")), 32, 1),
    "hub75": Kind(
        "oe", "lat", ("a", "b", "c", "d"), (("r1", "g1", "b1"), ("r2", "g2", "b2")), 32, 1
    ),
}


class Layout:
    """The geometry of one display. Raises ValueError for one that cannot be built of its modules.

    `steps`: row addresses, each of which lights the rows y with y % steps == `row_order`[address].
    `length`: clocks that fill the shift registers of the whole chain.
    """

    def __init__(self, driver: Driver) -> None:
        name = driver["name"]
        if name not in _KINDS:
            raise ValueError(f"driver {name}: not a scanned panel ({', '.join(_KINDS)})")
        self.kind = kind = _KINDS[name]
        self.width: int = driver["width"]
        self.height: int = driver["height"]
        self.steps = 1 << len(kind.address)
        self.colours: int = driver["colours"] if name == "hub08" else len(kind.data[0])
        half = name == "hub08" and self.height == self.steps
        self._storey_height = self.steps if half else kind.module_height
        self.storeys = self.height // self._storey_height
        if self.width % 8 or self.width <= 0 or self.storeys * self._storey_height != self.height:
            raise ValueError(f"driver {name}: no display of {self.width} x {self.height} dots")
        self._top_first = driver.get("storeys", "top_first") == "top_first"
        self.row_order = list[int](driver.get("row_order") or range(self.steps))
        if sorted(self.row_order) != list(range(self.steps)):
            raise ValueError(f"row_order: must have each of 0 to {self.steps - 1} once")
        self.length = self.width * kind.octets_high * self.storeys
        self.lines = [line[: self.colours] for line in kind.data[: 1 if half else 2]]
        """Names of the data lines: of each part of a module, from above, one line a colour."""

    def position(self, x: int, y: int) -> tuple[int, int]:
        """(part of the module, clock) of a dot; clock 0 is sent first, and ends farthest.

        The chain runs through all modules of a storey, x = 0 being farthest from the controller,
        then through the next storey.
        """
        storey = y // self._storey_height
        y %= self._storey_height
        before = storey if self._top_first else self.storeys - 1 - storey
        x += self.width * before
        high = self.kind.octets_high
        if high > 1:
            # The registers of eight columns follow each other, the lowest row first.
            return 0, x // 8 * 8 * high + (high - 1 - y // self.steps) * 8 + x % 8
        return y // self.steps, x
