"""Panels of the built-in profiles, and other shapes, as descriptions for the native scan.

Here: descriptions made by the firmware's own drivers, random pictures, and a log of stores spelled
out as a chip would make them. Not here: what a panel shows; `hall_panel` sees that.
"""

import importlib
import random
from array import array
from dataclasses import dataclass
from typing import Any

from hall_firmware.hall.drivers import description as words
from hall_profiles import builtin_names, compile_config, load

CLOCKS, REST = 0xFFFFFFFE, 0xFFFFFFFF
Words = array  # of "I"; only since Python 3.12 can the type of its items be named


def _profiles() -> dict[str, dict[str, Any]]:
    compiled = [
        compile_config(load(n), device="d-1", hall="demo", broker_host="127.0.0.1", broker_port=1)
        for n in builtin_names()
    ]
    panels = ("hub12", "hub08", "hub75")
    on_chips = [c for c in compiled if c["chip"] != "raspberrypi"]
    return {c["profile"]: c for c in on_chips if c["driver"]["name"] in panels}


PROFILES = _profiles()
P10, F375, HUB75 = (f"call-display-{name}" for name in ("p10-64x16", "f375-64x32", "hub75-64x32"))
_LEVELS = {"oe_active": "high", "lat_active": "low", "data_active": "high"}
_SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "hub12 one module": (P10, {"width": 32}),
    "hub12 two storeys": (P10, {"height": 32, "storeys": "bottom_first"}),
    "hub12 four storeys": (P10, {"width": 32, "height": 64, "row_order": [2, 0, 3, 1]}),
    "hub12 long, inverted": (P10, {"width": 128, **_LEVELS, "oe_active": "low"}),
    "hub08 one line, inverted": (F375, {"height": 16, **_LEVELS}),
    "hub08 two colours": (F375, {"colours": 2, "row_order": [*range(15, -1, -1)]}),
    "hub08 two storeys": (F375, {"height": 64}),
    "hub75 inverted": (HUB75, {**_LEVELS, "data_active": "low"}),
    "hub75 two by two": (HUB75, {"width": 128, "height": 64, "storeys": "bottom_first"}),
}


def _shape(profile: str, change: dict[str, Any]) -> dict[str, Any]:
    config = PROFILES[profile]
    pins = config["pins"] | ({"g1": 27, "g2": 4} if "colours" in change else {})
    return {**config, "driver": {**config["driver"], **change}, "pins": pins}


CONFIGS = PROFILES | {name: _shape(*shape) for name, shape in _SHAPES.items()}


@dataclass
class Panel:
    """`outputs`: the levels of all outputs once the driver has taken its pins."""

    description: Words
    picture_bytes: int
    clock: int
    outputs: int
    enable: int
    light: int  # its level that lights

    @property
    def clocks(self) -> int:
        """Of one row."""
        return 8 * self.description[words.GROUPS]

    @property
    def scans(self) -> int:
        return self.description[words.SCANS]

    @property
    def data(self) -> int:
        return self.description[5]

    def is_dark(self, level: int) -> bool:
        return level & self.enable != self.light

    def random_picture(self, seed: int) -> bytes:
        return random.Random(seed).randbytes(self.picture_bytes)


class _Hal:
    def __init__(self) -> None:
        self.levels = 0

    def output(self, pin: int, active: str) -> None:
        if active == "low":
            self.levels |= 1 << pin


def make(config: dict[str, Any], gpio: int, brightness: int = 100, lit: int | None = None) -> Panel:
    """The panel of a config, with registers at `gpio`; `lit` pairs instead of a brightness."""
    hal, driver = _Hal(), config["driver"]
    layout = importlib.import_module(f"hall_firmware.hall.drivers.{driver['name']}").layout
    geometry, wiring = layout(driver, config["pins"], hal)
    description = words.describe(gpio, geometry, wiring, brightness)
    if lit is not None:
        description[words.LIT] = lit
    picture_bytes = geometry.colours * driver["width"] * driver["height"] // 8
    light = wiring.enable if wiring.enable_high else 0
    return Panel(description, picture_bytes, wiring.clock, hal.levels, wiring.enable, light)


def accesses(log: bytes, panel: Panel, gpio: int, outputs: int) -> list[tuple[int, int | None]]:
    """(register's address, what is stored, or None for a load) of all that a chip does whose
    GPIO_OUT is plain memory that holds `outputs` before; see hall_tools.native.emulator."""
    out, set_, clear = gpio + 4, gpio + 8, gpio + 12
    kept = outputs & ~(panel.clock | panel.data)
    done: list[tuple[int, int | None]] = []
    for first, second, levels in entries(log):
        if first == CLOCKS:
            done.append((out, None))
            for level in levels:
                done += [(out, level & panel.data | kept), (set_, panel.clock)]
        elif first == REST:
            done += [(clear, 0), (set_, 0)] * second
        else:
            done += [(clear, first), (set_, second)]
    return done


def entries(log: bytes) -> list[tuple[int, int, list[int]]]:
    """(first word, second word, levels) of a log's entries; firmware/native/port.h."""
    found: list[tuple[int, int, list[int]]] = []
    rest = iter(array("I", log)[1:])
    for first in rest:
        second = next(rest)
        levels = [next(rest) for _ in range(second)] if first == CLOCKS else []
        found.append((first, second, levels))
    return found
