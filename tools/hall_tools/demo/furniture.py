"""The devices of the demo's hall, unpacked: each with its config, its keys and its flash.

Here: which station fits a place, and what is on the device's flash before its first start. Not
here: where it stands (layout.py), and when it is switched on (hall.py).
"""

from pathlib import Path
from typing import Any

from hall_gateway.keys import FOLDER, KeyStore
from hall_profiles import Profile, load

from hall_tools.demo.keypads import Keypad
from hall_tools.demo.latency import Latencies
from hall_tools.demo.layout import Place, Ports, device_config
from hall_tools.demo.sensors import BatteryFloor, Door, Floor
from hall_tools.demo.stations import Box, Display, Station
from hall_tools.demo.truth import Ledger


def make_station(
    place: Place, ports: Ports, folder: Path, ledger: Ledger, latencies: Latencies
) -> Station:
    """The station that fits the device's role; `folder` is that of the gateway's settings."""
    profile = load(place.profile)
    box = Box(
        place,
        device_config(place, ports),
        _keys(place, profile, folder),
        folder / place.device,
        ledger,
        latencies,
    )
    if profile.role == "call_display":
        return Display(box)
    if profile.role == "keypad":
        return Keypad(box)
    if profile.role == "people_counter":
        return Door(box)
    return BatteryFloor(box) if profile.transport == "coap" else Floor(box)


def _keys(place: Place, profile: Profile, folder: Path) -> dict[str, Any]:
    """What the ident partition has beside the name. The embedded broker asks for no keys; whoever
    speaks CoAP has them made by what enrols a device of a real hall."""
    if profile.transport != "coap":
        return {}
    oscore = KeyStore(folder / FOLDER).enrol(place.device, profile).oscore
    assert oscore is not None
    return {"oscore": oscore.of_device()}
