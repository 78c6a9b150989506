"""The demo's hall: which devices stand where, and the gateway's settings for it.

Here: the two windows, the entrance, the floor, and what follows from them as configuration. Not
here: starting anything.
"""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hall_profiles import compile_config, load

HALL = "demo"
HOST = "127.0.0.1"

WINDOWS = {"1": "综合业务", "2": "电费业务"}
STAFF = {"1": "王敏", "2": "李强"}

_CHINA_MIN = 480
"""Minutes ahead of UTC."""

RATING_WINDOW_S = 8
"""A real hall gives its customers 30 s; a demo of a minute cannot wait for the silent ones. It is
long enough for a customer to rate after a child has played with the keys."""


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
    Place("entrance", "people-counter-vl53l1x", zone="entrance"),
    # A real floor, and a shower, count as over after 10 minutes without water.
    Place(
        "floor",
        "wet-floor-mains",
        zone="entrance",
        settings={"sample_ms": 500, "dry_after_s": 3},
    ),
    # On battery. A real one looks every 60 s at a wet floor, and every 600 s at a dry one.
    Place(
        "floor-2",
        "wet-floor-battery",
        zone="washroom",
        settings={"sample_ms": 250, "dry_after_s": 3, "wake_wet_s": 5, "wake_dry_s": 10},
    ),
)


@dataclass(frozen=True)
class Ports:
    """Where the gateway listens on HOST: its broker, and UDP for battery devices; and the console,
    0 for none."""

    broker: int
    coap: int
    console: int = 0


def device_config(place: Place, ports: Ports) -> dict[str, Any]:
    """What the device at `place` boots from."""
    profile = load(place.profile)
    return compile_config(
        profile,
        device=place.device,
        hall=HALL,
        broker_host=HOST,
        broker_port=ports.coap if profile.transport == "coap" else ports.broker,
        settings=place.settings,
    )


def gateway_settings(ports: Ports, store: Path) -> str:
    """The gateway's TOML: broker and hall system share one embedded broker."""
    port = ports.broker
    # No night falls on a demo, and its day has today's date: the hall's day has just begun. The
    # clock is China's, as the displays have it by default.
    china = time.gmtime(time.time() + _CHINA_MIN * 60)
    reset_hour = max(0, china.tm_hour - 1)
    lines = [
        f'hall = "{HALL}"',
        f"store = {{ path = {json.dumps(str(store))} }}",
        f'broker = {{ mode = "embedded", host = "{HOST}", port = {port} }}',
        f'upstream = {{ host = "{HOST}", port = {port} }}',
        # Its services take seconds, and its few customers are quick and content.
        f"rating = {{ window_s = {RATING_WINDOW_S}, min_service_s = 0, fast_run = 0 }}",
        f"occupancy = {{ reset_hour = {reset_hour}, utc_offset_min = {_CHINA_MIN} }}",
        f'coap = {{ host = "{HOST}", port = {ports.coap} }}',
    ]
    if ports.console:
        lines.append(f'console = {{ host = "{HOST}", port = {ports.console} }}')
    for window, name in WINDOWS.items():
        lines += ["[[window]]", f'id = "{window}"', f'name = "{name}"']
    for place in PLACES:
        lines += ["[[device]]", f'id = "{place.device}"', f'profile = "{place.profile}"']
        lines.append(f'window = "{place.window}"' if place.window else f'zone = "{place.zone}"')
        if place.settings:
            pairs = ", ".join(f"{name} = {value}" for name, value in place.settings.items())
            lines.append(f"settings = {{ {pairs} }}")
    return "\n".join(lines) + "\n"
