"""What stands where in one hall: its windows, and its devices with what each can do.

Here: the registry, from the settings and the device profiles. Not here: anything that changes
while the hall is open (sessions.py).
"""

from dataclasses import dataclass

from hall_profiles import Profile

from hall_gateway.config import GatewayConfig, load_profile
from hall_gateway.models import Role


@dataclass(frozen=True)
class PlannedDevice:
    """A device of the registry, with the profile of its model."""

    id: str
    profile: Profile
    subject: str
    window: str | None = None

    @property
    def role(self) -> Role:
        return self.profile.role

    def mark(self, key: int) -> int | None:
        """The mark (5 best to 1) that `key` (from 1) gives; None when there is no such key."""
        marks: list[int] = getattr(self.profile.driver, "marks", [])
        return marks[key - 1] if key <= len(marks) else None


@dataclass(frozen=True)
class Plan:
    """One hall. `windows` maps an id to its name, `window_s` is how long a rating may take."""

    hall: str
    windows: dict[str, str]
    devices: dict[str, PlannedDevice]
    window_s: int = 30

    def displays(self, window: str) -> list[PlannedDevice]:
        """The call displays of a window."""
        return [d for d in self.devices.values() if (d.role, d.window) == ("call_display", window)]

    def keypad(self, window: str) -> PlannedDevice | None:
        """The keypad that rates a window's services; the settings allow one."""
        for device in self.devices.values():
            if (device.role, device.window) == ("keypad", window):
                return device
        return None


def plan_of(config: GatewayConfig) -> Plan:
    """The plan that the settings describe. Raises hall_profiles.ProfileError."""
    devices: dict[str, PlannedDevice] = {}
    for device in config.devices:
        profile = load_profile(device.profile)
        devices[device.id] = PlannedDevice(device.id, profile, device.subject, device.window)
    windows = {window.id: window.name for window in config.windows}
    return Plan(config.hall, windows, devices, config.rating.window_s)
