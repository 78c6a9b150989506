"""The demo's hall: which devices stand where, and the gateway's settings for it.

Here: the two windows, the entrance, the floor, and what follows from them as configuration. Not
here: starting anything.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hall_profiles import compile_config, load

HALL = "demo"
HOST = "127.0.0.1"

WINDOWS = {"1": "综合业务", "2": "电费业务"}
STAFF = {"1": "王敏", "2": "李强"}

RATING_WINDOW_S = 6
"""A real hall gives its customers 30 s; a demo of a minute cannot wait for the silent ones."""


@dataclass(frozen=True)
class Place:
    """A device and where it stands: at a window or in a zone."""

    device: str
    profile: str
    window: str | None = None
    zone: str | None = None
    settings: dict[str, int] = field(default_factory=dict[str, int])


PLACES = (
    Place("display-1", "call-display-p10-64x16", window="1"),
    Place("keypad-1", "keypad-5", window="1"),
    Place("display-2", "call-display-f375-64x32", window="2"),
    Place("keypad-2", "keypad-5", window="2"),
    Place("entrance", "people-counter-beams", zone="entrance"),
    # A real floor counts as dry after 10 minutes without water.
    Place("floor", "wet-floor-mains", zone="entrance", settings={"dry_after_s": 3}),
)


def device_config(place: Place, port: int) -> dict[str, Any]:
    """What the device at `place` boots from; it reaches the broker at `port`."""
    return compile_config(
        load(place.profile),
        device=place.device,
        hall=HALL,
        broker_host=HOST,
        broker_port=port,
        settings=place.settings,
    )


def gateway_settings(port: int, store: Path) -> str:
    """The gateway's TOML: broker and hall system share one embedded broker at `port`."""
    lines = [
        f'hall = "{HALL}"',
        f"store = {{ path = {json.dumps(str(store))} }}",
        f'broker = {{ mode = "embedded", host = "{HOST}", port = {port} }}',
        f'upstream = {{ host = "{HOST}", port = {port} }}',
        # Its services take seconds, and its few customers are quick and content.
        f"rating = {{ window_s = {RATING_WINDOW_S}, min_service_s = 0, fast_run = 0 }}",
    ]
    for window, name in WINDOWS.items():
        lines += ["[[window]]", f'id = "{window}"', f'name = "{name}"']
    for place in PLACES:
        lines += ["[[device]]", f'id = "{place.device}"', f'profile = "{place.profile}"']
        lines.append(f'window = "{place.window}"' if place.window else f'zone = "{place.zone}"')
        if place.settings:
            pairs = ", ".join(f"{name} = {value}" for name, value in place.settings.items())
            lines.append(f"settings = {{ {pairs} }}")
    return "\n".join(lines) + "\n"
