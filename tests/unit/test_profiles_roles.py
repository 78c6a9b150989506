"""The profiles against the firmware's roles: what a role sends is what its profile promises."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hall_firmware.hall.roles import (
    beam_lane,
    call_display,
    keypad,
    people_counter,
    radar_lane,
    tof_lane,
    wet_floor,
)
from hall_profiles import PAYLOAD_BYTES, Profile, builtin_names, load, validate_event
from hall_profiles.fields import mismatch
from support.roles import Context, FakeFace, FakeKeys

NAMES = builtin_names()
KEYPADS = [name for name in NAMES if load(name).role == "keypad"]
DISPLAYS = [name for name in NAMES if load(name).role == "call_display"]
COUNTERS = [name for name in NAMES if load(name).role == "people_counter"]
FLOORS = [name for name in NAMES if load(name).role == "wet_floor"]


def settings(profile: Profile) -> dict[str, int]:
    return {name: setting.value for name, setting in profile.settings.items()}


def agrees(profile: Profile, context: Context, state: dict[str, Any], *kinds: str) -> None:
    """Every event and the state are in the profile, and every one of `kinds` was sent."""
    assert set(kinds) <= set(context.kinds())
    for _, kind, data in context.events:
        validate_event(profile, kind, data)
        text = kind + json.dumps(data, separators=(",", ":"))
        assert len(text) <= PAYLOAD_BYTES
    assert mismatch(profile.shows, state) is None


@pytest.mark.parametrize("name", KEYPADS)
def test_a_keypad_keeps_to_its_profile(name: str) -> None:
    profile = load(name)
    context = Context()
    count = getattr(profile.driver, "keys", 0)
    reasons = getattr(profile.driver, "reasons", None) or ()
    keys = FakeKeys(context, count, bad=1 << count - 1, reasons=(1 << len(reasons)) - 1)
    role = keypad.Keypad(settings(profile), keys, context)
    until = (context.unix_ms() or 0) + 30_000
    session = {"ticket": "A015", "until": until, "window_s": 30}
    role.desire({"rev": 1_790_000_000, "session": session, "window": "1"}, 0)
    for key in range(1, count + 1):
        keys.press(key, 200 * key, 200 * key + 100)
    keys.press(count, 8000, 8100)  # when the mashing is over; it is locked at 11 s
    keys.press(1, 12_000, 12_100)
    keys.press(count, 16_000, 30_000)
    context.run(role, 22_000)
    agrees(profile, context, role.state(), "press", "close", "fault")
    assert ("reason" in context.kinds()) == ("reason" in profile.events) == bool(reasons)


@pytest.mark.parametrize("name", DISPLAYS)
def test_a_display_keeps_to_its_profile(name: str) -> None:
    profile = load(name)
    assert call_display.VIEWS.keys() == profile.views.keys()
    context = Context()
    role = call_display.CallDisplay(settings(profile), FakeFace(), context)
    agrees(profile, context, role.state())
    call = {"rev": 1_790_000_000, "view": "call", "ticket": "A015", "window": "12", "ttl_s": 30}
    role.desire(call, 0)
    context.run(role, 1000)
    agrees(profile, context, role.state(), "shown")


@dataclass
class Doorway:
    """Somebody goes in, then a trolley is left in both zones, then the sensor falls silent; as each
    driver says it."""

    context: Context
    bad: int = 0
    turn: int = 0

    def read(self) -> tuple[int, int]:
        now = self.context.now
        return (int(2500 <= now < 3100), int(2800 <= now < 3400)) if now < 5000 else (1, 1)

    def poll(self) -> Any:
        """A ranging every 35 ms, of one zone after the other."""
        if self.context.now < 35 * self.turn or self.fault():
            return None
        self.turn += 1
        zone = self.turn % 2
        return zone, 700 if self.read()[zone] else 2390, 0

    def fault(self) -> str | None:
        return "tof_silent" if self.context.now >= 42_000 else None


@dataclass
class Radar(Doorway):
    """Somebody comes in from 2 m outside the line, and then no frames any more."""

    def poll(self) -> Any:
        now = self.context.now
        if now % 100 or self.fault():
            return None
        return ((30, 4000 - now, 100),) if now < 4000 else ()

    def fault(self) -> str | None:
        return "radar_silent" if self.context.now >= 8000 else None


LANES = {
    "beams": (beam_lane.BeamLane, Doorway),
    "vl53l1x": (tof_lane.TofLane, Doorway),
    "ld2450": (radar_lane.RadarLane, Radar),
}


@pytest.mark.parametrize("name", COUNTERS)
def test_a_people_counter_keeps_to_its_profile(name: str) -> None:
    profile = load(name)
    context = Context()
    lane, sensor = LANES[profile.driver.name]
    set_up = settings(profile)
    role = people_counter.PeopleCounter(set_up, lane(set_up, sensor(context)), context)
    agrees(profile, context, role.state())
    context.run(role, 50_000)
    agrees(profile, context, role.state(), "passage", "fault")
    assert role.state()["in"] == 1


@dataclass
class Floor:
    """A probe that is wet for an hour, dries, is cut, and is shorted."""

    context: Context
    end_ohms: int = 470_000
    raw_uv: tuple[int, int] = (0, 0)

    def measure(self) -> tuple[int, str | None]:
        minute = self.context.now // 60_000
        self.raw_uv = (self.context.now, 0)
        if minute < 60:
            return 40_000, None
        if minute < 80:
            return 460_000, None
        return (947_231, "open") if minute < 85 else (2332, "short")


@dataclass
class Contact:
    """Closed every other half hour: a cleaner's button, or rain."""

    context: Context

    def value(self) -> int:
        return self.context.now // 1_800_000 & 1


@pytest.mark.parametrize("name", FLOORS)
def test_a_floor_sensor_keeps_to_its_profile(name: str) -> None:
    profile = load(name)
    context = Context()
    button, rain = (Contact(context) if pin in profile.pins else None for pin in ("button", "rain"))
    role = wet_floor.WetFloor(settings(profile), Floor(context), context, button, rain)
    agrees(profile, context, role.state())
    context.run(role, 90 * 60_000)
    agrees(profile, context, role.state(), *set(profile.events))
