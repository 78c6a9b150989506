"""A panel's cable, modelled from its data sheet: register stores in, light out.

Here: shift registers, latch, row decoder and output enable, with the rules that every store must
keep. Not here: the firmware's own tables; the pixel order below is written from the panels'
documentation (freetronics/DMD, Kubik F3.75, hzeller) as the position of a dot on its data line.
"""

from dataclasses import dataclass, field
from typing import Any

SET = 0x3FF44008
CLEAR = 0x3FF4400C

# kind: enable, latch, address lines, data lines of each part of the panel (the first is red).
LINES: dict[str, tuple[str, str, tuple[str, ...], tuple[tuple[str, ...], ...]]] = {
    "hub12": ("oe", "lat", ("a", "b"), (("r",),)),
    "hub08": ("en", "stb", ("a", "b", "c", "d"), (("r1", "g1"), ("r2", "g2"))),
    "hub75": ("oe", "lat", ("a", "b", "c", "d"), (("r1", "g1", "b1"), ("r2", "g2", "b2"))),
}


def position(kind: str, width: int, x: int, y: int) -> tuple[int, int, int]:
    """(scan step, part, clock index) of a dot; clock 0 is the first that is sent."""
    if kind == "hub12":
        x += width * (y // 16)
        return y % 4, 0, x // 8 * 32 + (3 - y % 16 // 4) * 8 + x % 8
    return y % 16, y // 16, x


@dataclass
class PanelModel:
    """Takes the place of `hal`: its `mem32` is the model itself."""

    driver: dict[str, Any]
    pins: dict[str, int]
    levels: int = 0
    stores: int = 0
    lit: dict[int, int] = field(default_factory=dict)  # stores during which each step was lit
    picture: dict[int, list[int]] = field(default_factory=dict)  # words latched at each lit step

    GPIO_SET = SET
    GPIO_CLEAR = CLEAR

    def __post_init__(self) -> None:
        self.mem32 = self
        enable, latch, address, parts = LINES[self.driver["name"]]
        self.enable = 1 << self.pins[enable]
        self.lit_level = self.enable if self.driver["oe_active"] == "high" else 0
        self.latch = 1 << self.pins[latch]
        self.latch_level = self.latch if self.driver["lat_active"] == "high" else 0
        self.clock = 1 << self.pins["clk"]
        self.address = [1 << self.pins[name] for name in address]
        self.parts = [[1 << self.pins[n] for n in part if n in self.pins] for part in parts]
        self.data = sum(bit for part in self.parts for bit in part)
        self.steps = 1 << len(address)
        # Rows that a data line carries at once, one after the other.
        self.rows_a_line = 4 if self.driver["name"] == "hub12" else 1
        rows = self.driver["height"] // 16 if self.driver["name"] == "hub12" else 1
        self.length = self.driver["width"] * self.rows_a_line * rows
        self.shifted = [0] * self.length
        self.latched = [0] * self.length
        self.last_address = None
        self.stores_since_latch = 0
        self.outputs: dict[int, str] = {}

    # What `hal` offers.

    def output(self, pin: int, active: str) -> None:
        self.outputs[pin] = active
        if active == "low":
            self.levels |= 1 << pin

    # What happens on the cable.

    def __setitem__(self, register: int, mask: int) -> None:
        assert register in (SET, CLEAR)
        assert register != self.last_address, "the same register twice in a row"
        self.last_address = register
        before = self.levels
        after = before | mask if register == SET else before & ~mask
        changed = before ^ after
        was_lit = before & self.enable == self.lit_level
        is_lit = after & self.enable == self.lit_level
        if changed & (self.latch | sum(self.address)):
            assert not was_lit, "address or latch moved while a row was lit"
            assert not is_lit, "address or latch moved as a row was lit"
        if changed & self.data:
            assert not before & self.clock or changed & self.clock, "data moved under a high clock"
        if changed & after & self.clock:
            assert not changed & self.data, "data moved with the rising clock"
            self.shifted = [*self.shifted[1:], after & self.data]
        self.stores_since_latch += 1
        if changed & self.latch:
            if after & self.latch == self.latch_level:
                self.latched = self.shifted
            self.stores_since_latch = 0
        if is_lit and not was_lit:
            # A pair of stores between the pair that ends the latch and the one that lights.
            assert self.stores_since_latch >= 4, "no dead time between latch and light"
        if was_lit:
            step = sum(bool(before & bit) << i for i, bit in enumerate(self.address))
            self.lit[step] = self.lit.get(step, 0) + 1
            assert self.picture.setdefault(step, self.latched) == self.latched
        self.levels = after
        self.stores += 1

    # What is seen.

    def dark(self) -> bool:
        return self.levels & self.enable != self.lit_level

    def frame(self) -> list[str]:
        """The rows that a person has seen since the last call, `#` for a lit red dot."""
        rows = [
            "".join("#" if self._seen(x, y) else "." for x in range(self.driver["width"]))
            for y in range(self.driver["height"])
        ]
        self.picture, self.lit = {}, {}
        return rows

    def colours(self) -> int:
        """All data lines that lit a dot of any colour in the frame, as a mask."""
        dark = 0 if self.driver["data_active"] == "high" else self.data
        seen = 0
        for words in self.picture.values():
            for word in words:
                seen |= word ^ dark
        return seen

    def _seen(self, x: int, y: int) -> bool:
        step, part, clock = position(self.driver["name"], self.driver["width"], x, y)
        level = bool(self.picture[step][clock] & self.parts[part][0])
        return level == (self.driver["data_active"] == "high")
