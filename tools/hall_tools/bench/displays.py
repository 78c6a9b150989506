"""What is played in a benchmark: the scanned panels of the built-in profiles, and their pictures.

Here: a panel's description by the firmware's own drivers, text as the firmware's own display draws
it, and random pictures. Not here: playing them (`counting`, `race`).
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from hall_panel.firmware import CallDisplay, Hal
from hall_profiles import builtin_names, compile_config, load

_DRIVERS = "hall_firmware.hall.drivers"
_SCANNED = ("hub12", "hub08", "hub75")
# A call as every display has it all day: 请A015号到3窗口.
_CALL = {"rev": 1, "view": "call", "ticket": "A015", "window": "3"}
_SEED = 3

PICTURES = ("text", "random")


@dataclass(frozen=True)
class Display:
    """A panel that lights each row for just as long as the shifting of the next one takes.

    `description`: the words of firmware/native/scan.h. `clocks`: pixel clocks of one frame, in
    which one row is shifted twice.
    """

    profile: str
    driver: str
    width: int
    height: int
    colours: int
    description: bytes
    program_bytes: int
    log_bytes: int
    clocks: int
    pictures: Mapping[str, bytes]


def scanned() -> list[dict[str, Any]]:
    """The configs of all built-in profiles whose panel a chip has to scan itself."""
    hall: dict[str, Any] = {"hall": "hall", "broker_host": "127.0.0.1", "broker_port": 1}
    configs: list[dict[str, Any]] = [
        compile_config(load(name), device="display-1", **hall) for name in builtin_names()
    ]
    on_chips = [config for config in configs if config["transport"] != "gateway"]
    return [config for config in on_chips if config["driver"]["name"] in _SCANNED]


def display(config: dict[str, Any], registers: int, copies: int = 1) -> Display:
    """The display of a config, `copies` times as wide, with GPIO registers at that address."""
    driver = {**config["driver"], "width": copies * config["driver"]["width"]}
    config = {**config, "driver": driver, "settings": {**config["settings"], "blink_s": 0}}
    layout = import_module(f"{_DRIVERS}.{driver['name']}").layout
    words = import_module(f"{_DRIVERS}.description")
    geometry, wiring = layout(driver, config["pins"], Hal())
    description: Any = words.describe(registers, geometry, wiring, 100)
    row: int = 8 * description[words.GROUPS]
    description[words.LIT] = row
    text = _text(config)
    return Display(
        profile=config["profile"],
        driver=driver["name"],
        width=driver["width"],
        height=driver["height"],
        colours=geometry.colours,
        description=description.tobytes(),
        program_bytes=words.program_bytes(description),
        log_bytes=words.log_bytes(description),
        clocks=row * (description[words.SCANS] + 1),
        pictures={"text": text, "random": random.Random(_SEED).randbytes(len(text))},
    )


def _text(config: Mapping[str, Any]) -> bytes:
    """The call, all colours, as the firmware's own role, canvas and glyphs draw it."""
    shown = CallDisplay(config, lambda: None)
    shown.role.desire(_CALL, 0)
    shown.role.step(0)
    return shown.content()
