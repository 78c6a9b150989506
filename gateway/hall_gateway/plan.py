"""What stands where in one hall: its windows, and its devices with what each can do.

Here: the registry, from the settings and the device profiles. Not here: anything that changes
while the hall is open (sessions.py).
"""

from dataclasses import dataclass, field, replace

from hall_profiles import Profile
from hall_profiles.drivers import Keys, KeysMatrix

from hall_gateway.config import GatewayConfig, load_profile
from hall_gateway.limits import Limits
from hall_gateway.models import Role
from hall_gateway.occupancy import OccupancyRules
from hall_gateway.rollout_model import UpdateHours


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

    @property
    def zone(self) -> str | None:
        """The zone that it stands in by itself, not at a window."""
        return self.subject.removeprefix("zone/") if self.window is None else None

    @property
    def marks(self) -> list[int]:
        """The marks (5 best to 1) of a keypad's keys, key 1 first."""
        driver = self.profile.driver
        return driver.marks if isinstance(driver, Keys | KeysMatrix) else []

    def mark(self, key: int) -> int | None:
        """The mark that `key` (from 1) gives; None when there is no such key."""
        return self.marks[key - 1] if key <= len(self.marks) else None

    @property
    def reads_staff(self) -> bool:
        """Whether it has a reader for cards and PINs."""
        return "d0" in self.profile.pins

    def reason(self, key: int) -> str | None:
        """The reason that `key` gives after a bad mark; None when it gives none."""
        driver = self.profile.driver
        reasons = driver.reasons if isinstance(driver, Keys | KeysMatrix) else None
        return reasons[key - 1].zh if reasons and key <= len(reasons) else None


@dataclass(frozen=True)
class RatingRules:
    """What a rating must be to count, each 0 for a rule that is off.

    A service of less than `min_service_s` is not rated. `fast_run` best marks in a row for one
    clerk, each pressed less than `fast_s` after the prompt, are a run. Where nobody asks,
    `interval_s` lie between two ratings.
    """

    min_service_s: int = 20
    fast_s: int = 3
    fast_run: int = 5
    interval_s: int = 5


@dataclass(frozen=True)
class Plan:
    """One hall. `windows` maps an id to its name, `window_s` is how long a rating may take.

    `revoked`: devices that must not be heard any more, also those whose place another has taken;
    `replaced`: the id of each of `devices` that has, and whose place it was. `free`: the windows
    where nobody asks, and a press is a rating by itself. `staff`: whose card or PIN it is
    (staff.py), `pin_key` what a keypad makes a code of a PIN with. `zones` and `cameras`: the zone
    that a window is in, and the camera that sees it, where it has one. `limits`: how long a service
    may take. `updates`: when devices are updated.
    """

    hall: str
    windows: dict[str, str]
    devices: dict[str, PlannedDevice]
    window_s: int = 30
    revoked: dict[str, PlannedDevice] = field(default_factory=dict[str, PlannedDevice])
    replaced: dict[str, str] = field(default_factory=dict[str, str])
    free: frozenset[str] = frozenset()
    rules: RatingRules = RatingRules()
    occupancy: OccupancyRules = field(default_factory=OccupancyRules)
    staff: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    pin_key: str | None = field(default=None, repr=False)
    zones: dict[str, str] = field(default_factory=dict[str, str])
    cameras: dict[str, str] = field(default_factory=dict[str, str])
    limits: Limits = field(default_factory=Limits)
    updates: UpdateHours = field(default_factory=UpdateHours)

    def zone(self, device: PlannedDevice) -> str | None:
        """Where a device stands: in its own zone, or in that of its window."""
        return device.zone if device.window is None else self.zones.get(device.window)

    @property
    def every_zone(self) -> set[str]:
        """All zones that a device or a window stands in."""
        own = {self.zone(device) for device in self.devices.values()}
        return {zone for zone in (*own, *self.zones.values()) if zone is not None}

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
    free = frozenset(window.id for window in config.windows if window.free)
    rating = config.rating
    rules = RatingRules(rating.min_service_s, rating.fast_s, rating.fast_run, rating.interval_s)
    count = config.occupancy
    occupancy = OccupancyRules(count.reset_hour, count.utc_offset_min, frozenset(count.areas))
    staff = config.staff.known if config.staff else None
    return Plan(
        config.hall,
        windows,
        devices,
        rating.window_s,
        revoked,
        replaced,
        free=free,
        rules=rules,
        occupancy=occupancy,
        staff=staff.who() if staff else {},
        pin_key=staff.key if staff else None,
        zones={window.id: window.zone for window in config.windows if window.zone},
        cameras={window.id: window.camera for window in config.windows if window.camera},
        limits=Limits(config.figures.limits, config.figures.limit_min),
        updates=UpdateHours(config.updates.from_hour, config.updates.to_hour),
    )
