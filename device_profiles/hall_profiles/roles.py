"""What the firmware's roles send, take and can be tuned by: the names a profile must use.

Here: the contract between a role's code and its profiles: settings with their units, events and
desired fields with their types. Not here: ranges, limits and titles, which each profile states for
its own device.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from hall_profiles.drivers import PinUse
from hall_profiles.fields import Unit

#: The fields that must be there, each with its type; an object's own fields stand for its type.
Fields = Mapping[str, str | Mapping[str, str]]


class Option(NamedTuple):
    """What a role does besides, where a profile wires these pins for it: all of them or none."""

    pins: Mapping[str, PinUse]
    settings: Mapping[str, Unit] = {}
    events: Mapping[str, Fields] = {}
    shows: Mapping[str, str | Mapping[str, str]] = {}
    desired: Mapping[str, str] = {}


class Role(NamedTuple):
    """One role. `events`, `desired` and `shows` map a field to its type, or to an object's fields.

    A state may have a field of `may_show`, where the profile has it.
    `strictly_rising` are settings of which each must be below the next; in `rising` they may be
    equal. `limits` are what a setting means anything between, whatever range a profile gives it.
    """

    drivers: tuple[str, ...]
    settings: dict[str, Unit]
    events: dict[str, Fields]
    desired: Fields
    shows: Fields
    may_show: Mapping[str, str] = {}
    strictly_rising: tuple[str, ...] = ()
    rising: tuple[str, ...] = ()
    limits: Mapping[str, tuple[int, int]] = {}
    options: tuple[Option, ...] = ()

    def wired(self, pins: Collection[str]) -> "Role":
        """This role as a profile has it whose pins are these: with its options as its own."""
        role = self
        for option in self.options:
            if any(pin in pins for pin in option.pins):
                role = role.having(option)
        return role

    def having(self, option: Option) -> "Role":
        """This role with what an option brings as its own."""
        return self._replace(
            settings={**self.settings, **option.settings},
            events={**self.events, **option.events},
            shows={**self.shows, **option.shows},
            desired={**self.desired, **option.desired},
        )


ROLES: dict[str, Role] = {
    "call_display": Role(
        drivers=("hub12", "hub08", "hub75", "max7219", "max7219_matrix"),
        settings={
            "blink_s": "s",
            "brightness": "%",
            "night_brightness": "%",
            "night_from_h": "h",
            "night_to_h": "h",
            "utc_offset_min": "min",
        },
        events={"shown": {"rev": "integer"}},
        desired={
            "view": "string",
            "ticket": "string",
            "window": "string",
            "name": "string",
            "text": "string",
            "ttl_s": "integer",
        },
        shows={"view": "string", "ticket": "string", "stale": "boolean", "missing": "integer"},
        may_show={"fault": "string"},
        limits={
            "brightness": (1, 100),
            "night_brightness": (1, 100),
            "night_from_h": (0, 23),
            "night_to_h": (0, 23),
            "utc_offset_min": (-720, 840),
        },
    ),
    "keypad": Role(
        drivers=("keys", "keys_matrix"),
        settings={"debounce_ms": "ms", "lock_s": "s", "feedback_ms": "ms", "stuck_s": "s"},
        events={
            "press": {"key": "integer", "session": "integer", "n": "integer"},
            "close": {"session": "integer", "why": "string"},
        },
        desired={
            "session": {"ticket": "string", "until": "integer", "window_s": "integer"},
            "window": "string",
            "free": "boolean",
        },
        shows={"session": "integer", "stuck": "array"},
        # A stuck key's press was no choice, and a rating waits until that is known.
        limits={"stuck_s": (2, 10), "lock_s": (1, 3)},
        options=(
            Option({"voice": PinUse("out")}),
            # A reader's lines come through a level shifter with pull-ups of its own.
            Option(
                {"d0": PinUse("in"), "d1": PinUse("in")},
                events={"card": {"bits": "integer", "code": "integer"}, "pin": {"code": "integer"}},
                desired={"pin_key": "string"},
            ),
        ),
    ),
    "people_counter": Role(
        drivers=("beams", "vl53l1x", "ld2450"),
        settings={"path_timeout_s": "s", "stuck_s": "s"},
        events={"passage": {"dir": "string"}},
        desired={},
        shows={"in": "integer", "out": "integer", "stuck": "integer"},
        may_show={"fault": "string", "floor_mm": "array"},
    ),
    "wet_floor": Role(
        drivers=("probe",),
        settings={
            "sample_ms": "ms",
            "wet_ohms": "ohm",
            "dry_ohms": "ohm",
            "wet_samples": "samples",
            "of_samples": "samples",
            "dry_after_s": "s",
            "escalate_s": "s",
            "short_ohms": "ohm",
            "open_ohms": "ohm",
        },
        events={
            "wet": {"ohms": "integer"},
            "dry": {"ohms": "integer"},
            "escalate": {"minutes": "integer"},
        },
        desired={},
        shows={"wet": "boolean", "ohms": "integer", "fault": "string", "dry_ohms": "integer"},
        strictly_rising=("short_ohms", "wet_ohms", "dry_ohms", "open_ohms"),
        rising=("wet_samples", "of_samples"),
        options=(
            Option({"button": PinUse("in", pull=True)}, events={"attended": {}}),
            # It sleeps, and water wakes it.
            Option(
                {"wake": PinUse("in", wakes=True)},
                settings={"wake_dry_s": "s", "wake_wet_s": "s", "heartbeat_s": "s"},
            ),
            Option(
                {"rain": PinUse("in", pull=True)},
                events={"rain": {"on": "boolean"}},
                shows={"rain": "boolean"},
            ),
        ),
    ),
}

#: Settings that a role has only with this driver.
DRIVER_SETTINGS: dict[str, dict[str, Unit]] = {
    "vl53l1x": {"floor_mm": "mm", "head_percent": "%"},
    "ld2450": {"gate_mm": "mm", "lane_mm": "mm"},
}

#: What a keypad does besides, where its driver has reasons for a bad mark.
REASONS = Option(
    {}, settings={"reason_s": "s"}, events={"reason": {"key": "integer", "session": "integer"}}
)

#: Any role may journal a fault: a short code and a number that helps to find the cause.
FAULT: Fields = {"code": "string", "value": "integer"}


def order_faults(role: Role, values: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Settings that contradict each other: (setting, what is wrong, what would be right)."""
    for names, equal_is_wrong in ((role.strictly_rising, True), (role.rising, False)):
        for low, high in pairwise(names):
            if low not in values or high not in values:
                continue
            if values[low] > values[high] or (equal_is_wrong and values[low] == values[high]):
                word = "below" if equal_is_wrong else "at most"
                what = f"is {values[low]}, but {high} is {values[high]}"
                yield low, what, f"{word} {high}"
