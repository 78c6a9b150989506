"""A scan of LED panels as their documentation has it, for tests of the simulated eye.

Here: what is sent clock by clock, as loops that walk the chain, and a frame's log of it. Not here:
anything of the firmware, of its native core, or of `hall_panel`, whose layout is a formula.
Sources: freetronics/DMD (HUB12), Kubik F3.75 (HUB08), hzeller/rpi-rgb-led-matrix (HUB75).
"""

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

CLOCKS, REST = 0xFFFFFFFE, 0xFFFFFFFF
PINS: dict[str, dict[str, int]] = {
    "hub12": {"oe": 16, "a": 17, "b": 18, "clk": 22, "lat": 19, "r": 23},
    "hub08": {"a": 16, "b": 17, "c": 18, "d": 19, "en": 21, "stb": 23, "clk": 22}
    | {"r1": 25, "r2": 26, "g1": 4, "g2": 31},
    "hub75": {"a": 23, "b": 19, "c": 5, "d": 17, "oe": 15, "lat": 4, "clk": 16}
    | {"r1": 25, "g1": 26, "b1": 27, "r2": 14, "g2": 12, "b2": 13},
}
_ENABLE_LATCH_ADDRESS = {
    "hub12": ("oe", "lat", "ab"),
    "hub08": ("en", "stb", "abcd"),
    "hub75": ("oe", "lat", "abcd"),
}


def driver(name: str, width: int, height: int, **other: Any) -> dict[str, Any]:
    """Driver fields, with the usual polarities of the kind."""
    active = {
        "hub12": {"oe_active": "high", "data_active": "low"},
        "hub08": {"oe_active": "low", "data_active": "low", "colours": 1},
        "hub75": {"oe_active": "low", "data_active": "high"},
    }[name]
    fields = {"name": name, "width": width, "height": height, "lat_active": "high"}
    return {**fields, **active, **other}


def random_planes(driver: dict[str, Any], seed: int) -> tuple[bytes, ...]:
    colours = 3 if driver["name"] == "hub75" else driver.get("colours", 1)
    size = driver["width"] * driver["height"] // 8
    return tuple(random.Random(f"{seed} {plane}").randbytes(size) for plane in range(colours))


@dataclass
class Player:
    """Plays pictures on one display. Times are in pairs of stores."""

    driver: dict[str, Any]
    lit: int = 100
    dead: int = 10
    pins: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = self.driver["name"]
        self.pins = self.pins or PINS[name]
        enable, latch, address = _ENABLE_LATCH_ADDRESS[name]
        self.enable, self.latch, self.clock = (self.mask(n) for n in (enable, latch, "clk"))
        self.address = [self.mask(line) for line in address]
        self.steps = 1 << len(address)
        self._address = 0  # the level at which the last frame left the address lines

    def mask(self, line: str) -> int:
        return 1 << self.pins[line]

    def on(self) -> list[int]:
        return [0, self.enable] if self.driver["oe_active"] == "high" else [self.enable, 0]

    def off(self) -> list[int]:
        return self.on()[::-1]

    def select(self, address: int) -> list[int]:
        high = sum(bit for place, bit in enumerate(self.address) if address >> place & 1)
        return [sum(self.address) - high, high]

    def latch_pulse(self) -> list[int]:
        begin = [0, self.latch] if self.driver["lat_active"] == "high" else [self.latch, 0]
        return [*begin, *begin[::-1]]

    def clocks(self, levels: Sequence[int]) -> list[int]:
        return [CLOCKS, len(levels), *levels] if levels else []

    def rest(self, pairs: int) -> list[int]:
        return [REST, pairs] if pairs else []

    def frame(self, planes: Sequence[bytes], other: int = 0) -> bytes:
        """The log of one frame; `other`: the levels of outputs that are not the panel's."""
        dark = other | (0 if self.driver["oe_active"] == "high" else self.enable)
        idle = dark | (0 if self.driver["lat_active"] == "high" else self.latch)
        first = self.words(planes, 0)
        entries = [*self.off(), *self.clocks([idle | self._address | word for word in first])]
        for address in range(self.steps):
            entries += [*self.select(address), *self.latch_pulse(), *self.rest(self.dead)]
            lit = (idle ^ self.enable) | self.select(address)[1]
            sent = self.words(planes, (address + 1) % self.steps)
            while_lit = sent[: self.lit]
            entries += [*self.on(), *self.clocks([lit | word for word in while_lit])]
            entries += [*self.rest(self.lit - len(while_lit)), *self.off()]
            after = [lit ^ self.enable | word for word in sent[self.lit :]]
            entries += self.clocks(after)
            self._address = self.select(address)[1]
        return log(entries, dark)

    def words(self, planes: Sequence[bytes], address: int) -> list[int]:
        """The data lines at each clock of the rows that `address` lights."""
        order: Sequence[int] = self.driver.get("row_order", range(self.steps))
        all_dark = sum(
            self.mask(line)
            for line in ("r", "r1", "g1", "b1", "r2", "g2", "b2")
            if line in self.pins
        )
        invert = all_dark if self.driver["data_active"] == "low" else 0
        return [
            sum(self.mask(line) for line, plane, x, y in dots if self.dot(planes[plane], x, y))
            ^ invert
            for dots in self.sent(order[address])
        ]

    def dot(self, plane: bytes, x: int, y: int) -> int:
        at: int = y * self.driver["width"] + x
        return plane[at // 8] >> (7 - at % 8) & 1

    def storeys(self, high: int) -> list[int]:
        """The top row of each storey, in the order in which they are sent."""
        tops = list(range(0, self.driver["height"], high))
        return tops[::-1] if self.driver.get("storeys") == "bottom_first" else tops

    def sent(self, step: int) -> Iterator[list[tuple[str, int, int, int]]]:
        """(line, plane, x, y) of every dot of each clock."""
        width = self.driver["width"]
        if self.driver["name"] == "hub12":
            for top in self.storeys(16):
                for left in range(0, width, 8):
                    for y in (top + 12 + step, top + 8 + step, top + 4 + step, top + step):
                        for x in range(left, left + 8):
                            yield [("r", 0, x, y)]
            return
        colours = "rgb" if self.driver["name"] == "hub75" else "rg"[: self.driver["colours"]]
        for top in self.storeys(32):
            for x in range(width):
                upper = [(f"{c}1", plane, x, top + step) for plane, c in enumerate(colours)]
                lower = [(f"{c}2", plane, x, top + 16 + step) for plane, c in enumerate(colours)]
                yield upper if self.driver["height"] == 16 else upper + lower


def log(entries: Sequence[int], level: int = 0) -> bytes:
    return struct.pack(f"<{len(entries) + 1}I", level, *entries)
