"""The firmware's own people counter, fed with simulated readings.

Here: drivers that hand out what a trace says, the role put together as on a device, and the
passages that it says. Not here: the role, which is imported as it ships, and its settings, which
are the profiles' own.
"""

from importlib import import_module
from typing import Any

from hall_profiles import Profile, load

from hall_tools.people.scenes import Passage

_ROLES = "hall_firmware.hall.roles"


class _Driver:
    """What a lane asks of its driver: whatever the trace has put there."""

    bad = 0

    def __init__(self) -> None:
        self.reading: Any = None

    def poll(self) -> Any:
        reading, self.reading = self.reading, None
        return reading

    def read(self) -> Any:
        return self.reading

    def fault(self) -> None:
        return None


class Counter:
    """The role of a profile on the lane of its driver; `said` are its passages."""

    _LANES = (("beams", "BeamLane"), ("vl53l1x", "TofLane"), ("ld2450", "RadarLane"))

    def __init__(self, profile: Profile, **settings: int) -> None:
        values = {name: setting.value for name, setting in profile.settings.items()} | settings
        self._driver = _Driver()
        self._now = 0
        self.said: list[Passage] = []
        self.faults: list[dict[str, Any]] = []
        name = dict(self._LANES)[profile.driver.name]
        module = {"BeamLane": "beam_lane", "TofLane": "tof_lane", "RadarLane": "radar_lane"}[name]
        lane = getattr(import_module(f"{_ROLES}.{module}"), name)(values, self._driver)
        role = import_module(f"{_ROLES}.people_counter").PeopleCounter
        self.role: Any = role(values, lane, self)

    def step(self, now: int, reading: Any) -> None:
        """The driver has `reading` at `now`, in ms."""
        self._now = now
        self._driver.reading = reading
        self.role.step(now)

    def emit(self, kind: str, data: dict[str, Any]) -> None:
        """What the role journals."""
        if kind == "passage":
            self.said.append(Passage(self._now, data["dir"]))
        else:
            self.faults.append(data)


def profile(sensor: str) -> Profile:
    """The profile that ships for a sensor: beams, vl53l1x or ld2450."""
    return load(f"people-counter-{sensor}")
