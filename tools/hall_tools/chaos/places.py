"""The hall that is put to the test: which devices stand where, and the gateway's settings for it.

Here: its windows, doors and floors, and what follows from them as configuration. Not here: starting
anything.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hall_profiles import Profile, compile_config, load

HALL = "chaos"
HOST = "127.0.0.1"

_CHINA_MIN = 480
RATING_WINDOW_S = 8
"""A real hall gives its customers 30 s; here everything is short."""


@dataclass(frozen=True)
class Place:
    """A device, and the window that it stands at; without one it is in a zone of its own name."""

    device: str
    profile: str
    window: str | None = None
    settings: dict[str, int] = field(default_factory=dict[str, int])

    def load(self) -> Profile:
        return load(self.profile)


_QUICK_FLOOR = {"sample_ms": 300, "dry_after_s": 3}

PLACES = (
    Place("keypad-1", "keypad-5", "1"),
    Place("display-1", "call-display-7seg-max7219", "1"),
    Place("door-1", "people-counter-beams"),
    Place("floor-1", "wet-floor-mains", settings=_QUICK_FLOOR),
    Place("keypad-2", "keypad-4", "2"),
    Place("display-2", "call-display-max7219-64x16", "2"),
    Place("door-2", "people-counter-beams"),
    Place("keypad-3", "keypad-3", "3"),
    Place("display-3", "call-display-p10-64x16", "3"),
    Place("floor-2", "wet-floor-mains", settings=_QUICK_FLOOR),
    Place("keypad-4", "keypad-5", "4"),
    Place("display-4", "call-display-7seg-max7219", "4"),
    Place("door-3", "people-counter-beams"),
    Place("keypad-5", "keypad-5", "5"),
    Place("display-5", "call-display-7seg-max7219", "5"),
    Place("floor-3", "wet-floor-mains", settings=_QUICK_FLOOR),
    Place("keypad-6", "keypad-4", "6"),
    Place("display-6", "call-display-7seg-max7219", "6"),
    Place("door-4", "people-counter-beams"),
    # Much work for whoever simulates it, so one will do.
    Place("door-5", "people-counter-vl53l1x"),
)
"""The first few make a whole hall too."""

LEAST = 4


def device_config(place: Place, port: int) -> dict[str, Any]:
    """What the device at `place` boots from; its broker is at `port`."""
    return compile_config(
        place.load(),
        device=place.device,
        hall=HALL,
        broker_host=HOST,
        broker_port=port,
        settings=place.settings,
    )


def gateway_settings(
    places: Sequence[Place], devices_port: int, hall_port: int, store: Path
) -> str:
    """The gateway's TOML."""
    # No night falls in a run, however the clock jumps: the last one was half a day ago.
    china = time.gmtime(time.time() + _CHINA_MIN * 60)
    reset_hour = (china.tm_hour + 12) % 24
    lines = [
        f'hall = "{HALL}"',
        f"store = {{ path = {json.dumps(str(store))} }}",
        f'broker = {{ mode = "external", host = "{HOST}", port = {devices_port} }}',
        f'upstream = {{ host = "{HOST}", port = {hall_port} }}',
        f"rating = {{ window_s = {RATING_WINDOW_S}, min_service_s = 0, fast_run = 0 }}",
        f"occupancy = {{ reset_hour = {reset_hour}, utc_offset_min = {_CHINA_MIN} }}",
    ]
    for window in windows(places):
        lines += ["[[window]]", f'id = "{window}"']
    for place in places:
        lines += ["[[device]]", f'id = "{place.device}"', f'profile = "{place.profile}"']
        where = f'window = "{place.window}"' if place.window else f'zone = "{place.device}"'
        lines.append(where)
        if place.settings:
            pairs = ", ".join(f"{name} = {value}" for name, value in place.settings.items())
            lines.append(f"settings = {{ {pairs} }}")
    return "\n".join(lines) + "\n"


def windows(places: Sequence[Place]) -> list[str]:
    """In the order in which they stand."""
    return sorted({place.window for place in places if place.window})
