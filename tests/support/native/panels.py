"""Panels of the built-in profiles, and other shapes, as descriptions for the native scan.

Here: descriptions made by the firmware's own drivers, text and random pictures, and a log of stores
spelled out. Not here: what a panel shows; `support.panel_model` does that.
"""

import importlib
import random
from array import array
from typing import Any

from hall_firmware.hall.drivers import description as words
from hall_profiles import builtin_names, compile_config, load

from support.panel_model import PanelModel

REST = 0xFFFFFFFF
Words = array  # of "I"; only since Python 3.12 can the type of its items be named


def _profiles() -> dict[str, dict[str, Any]]:
    compiled = [
        compile_config(load(n), device="d-1", hall="demo", broker_host="127.0.0.1", broker_port=1)
        for n in builtin_names()
    ]
    panels = ("hub12", "hub08", "hub75")
    return {c["profile"]: c for c in compiled if c["driver"]["name"] in panels}


PROFILES = _profiles()
P10, F375, HUB75 = (f"call-display-{name}" for name in ("p10-64x16", "f375-64x32", "hub75-64x32"))
_SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "hub12 two storeys": (P10, {"height": 32}),
    "hub12 long, inverted": (P10, {"width": 128, "oe_active": "low", "data_active": "high"}),
    "hub08 one line, inverted": (
        F375,
        {"height": 16, "oe_active": "high", "lat_active": "low", "data_active": "high"},
    ),
    "hub75 inverted": (HUB75, {"data_active": "low", "oe_active": "high", "lat_active": "low"}),
}
CONFIGS = PROFILES | {
    name: {**PROFILES[profile], "driver": {**PROFILES[profile]["driver"], **change}}
    for name, (profile, change) in _SHAPES.items()
}


def make(
    config: dict[str, Any], gpio: int, brightness: int = 100, lit: int | None = None
) -> tuple[Words, PanelModel]:
    """The description, with registers at `gpio`, and a panel on the same wires."""
    model = PanelModel(config["driver"], config["pins"])
    driver = importlib.import_module(f"hall_firmware.hall.drivers.{config['driver']['name']}")
    geometry, wiring = driver.layout(config["driver"], config["pins"], model)
    description = words.describe(gpio + 12, gpio + 8, geometry, wiring, brightness)
    if lit is not None:
        description[words.LIT] = lit
    return description, model


def size(config: dict[str, Any]) -> int:
    return config["driver"]["width"] * config["driver"]["height"] // 8


def random_picture(config: dict[str, Any], seed: int) -> bytes:
    return random.Random(seed).randbytes(size(config))


def spelled_out(log: bytes, gpio: int) -> list[tuple[int, int]]:
    """The (address, value) of every store that a log stands for."""
    words_ = array("I", log)
    assert len(words_) % 2 == 0
    stores: list[tuple[int, int]] = []
    for clear, set_ in zip(words_[::2], words_[1::2], strict=True):
        if clear == REST:
            stores += [(gpio + 12, 0), (gpio + 8, 0)] * set_
        else:
            stores += [(gpio + 12, clear), (gpio + 8, set_)]
    return stores
