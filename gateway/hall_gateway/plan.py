"""What stands where in one hall: its windows, and its devices with what each can do.

Here: the registry, from the settings and the device profiles. Not here: anything that changes
while the hall is open (sessions.py).
"""

from dataclasses import dataclass, field, replace

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
    """One hall. `windows` maps an id to its name, `window_s` is how long a rating may take.

    `revoked`: devices that must not be heard any more, also those whose place another has taken;
    `replaced`: the id of each of `devices` that has, and whose place it was.
    """

    hall: str
    windows: dict[str, str]
    devices: dict[str, PlannedDevice]
    window_s: int = 30
    revoked: dict[str, PlannedDevice] = field(default_factory=dict[str, PlannedDevice])
    replaced: dict[str, str] = field(default_factory=dict[str, str])

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
    revoked: dict[str, PlannedDevice] = {}
    replaced: dict[str, str] = {}
    for device in config.devices:
        profile = load_profile(device.profile)
        planned = PlannedDevice(device.id, profile, device.subject, device.window)
        (revoked if device.revoked else devices)[device.id] = planned
        if device.replaces is not None:
            revoked[device.replaces] = replace(planned, id=device.replaces)
            if not device.revoked:
                replaced[device.id] = device.replaces
    windows = {window.id: window.name for window in config.windows}
    return Plan(config.hall, windows, devices, config.rating.window_s, revoked, replaced)
