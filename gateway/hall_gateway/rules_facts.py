"""What is known of each place of a hall now, as the values of the names that rules use.

Here: the places of each kind and their facts, from the hall's state, devices and floor sensors.
Pure; times are unix ms, facts in s. Not here: the names (rules_words.py), rules (rules.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hall_gateway import tickets
from hall_gateway.clock_jump import Jump
from hall_gateway.occupancy import HALL
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.rules_words import ANY_EVENT, EVENTS, Each, Scope
from hall_gateway.state import Emit, HallState, Window
from hall_gateway.store_hall import DeviceRow
from hall_gateway.store_rule_states import Floor

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """What a rule is about: `key` tells it from all others, `subject` is that of its events."""

    key: str
    subject: str
    facts: Facts
    zone: str | None = None
    window: str | None = None
    device: str | None = None


@dataclass(frozen=True)
class Now:
    """Everything that facts are made of."""

    plan: Plan
    state: HallState
    devices: Mapping[str, DeviceRow]
    floors: Mapping[str, Floor]
    now: int

    def seconds(self, since: int | None) -> int:
        """How long ago; never negative, for the clock may have been set back. 0 for never."""
        return 0 if since is None else max(0, self.now - since) // 1000


def places(kind: Each, given: Now) -> list[Place]:
    """The places of one kind, with their facts."""
    match kind:
        case "hall":
            return [_hall(given)]
        case "zone":
            return [_zone(zone, given) for zone in sorted(given.plan.every_zone)]
        case "window":
            return [_window(given.state.windows[window], given) for window in given.plan.windows]
        case "service":
            windows = [given.state.windows[window] for window in given.plan.windows]
            return [_service(window, given) for window in windows if window.state == "serving"]
        case "device":
            return [_device(device, given) for device in given.plan.devices.values()]


def of_event(emit: Emit, plan: Plan) -> Place:
    """An event as a place; what it does not have is null."""
    window = _window_of(emit.subject)
    zone = plan.zones.get(window) if window is not None else _zone_of(emit.subject)
    data = {name: emit.data.get(name) for name in EVENTS.get(emit.type, {})}
    facts = {**data, "type": emit.type, "subject": emit.subject}
    for name in _EVENT_NAMES.difference(facts):
        facts[name] = None
    device = emit.data.get("device")
    return Place(emit.subject, emit.subject, facts, zone, window, device)


def displays(scope: Scope, place: Place, plan: Plan) -> list[PlannedDevice]:
    """The displays that a rule of that scope reaches."""
    every = [device for device in plan.devices.values() if device.role == "call_display"]
    if scope == "hall":
        return every
    if scope == "zone":
        return [d for d in every if place.zone is not None and plan.zone(d) == place.zone]
    return [d for d in every if place.window is not None and d.window == place.window]


_EVENT_NAMES = {name for words in EVENTS.values() for name in words} | ANY_EVENT.keys()


def _window_of(subject: str) -> str | None:
    return subject.removeprefix("window/") if subject.startswith("window/") else None


def _zone_of(subject: str) -> str | None:
    return subject.removeprefix("zone/") if subject.startswith("zone/") else None


def _hall(given: Now) -> Place:
    queue = tickets.waiting(given.state, given.now).whole
    windows = [given.state.windows[window] for window in given.plan.windows]
    floors = [given.floors.get(device, Floor()) for device in given.plan.devices]
    facts: Facts = {
        "waiting": queue.count,
        "longest_wait_s": (queue.oldest_ms or 0) // 1000,
        "longest_wait_min": (queue.oldest_ms or 0) // 60_000,
        "p90_wait_s": (queue.p90_ms or 0) // 1000,
        "windows_open": sum(window.state != "paused" for window in windows),
        "inside": _inside(HALL, given),
        "wet": any(floor.wet for floor in floors),
        "rain": any(floor.rain for floor in floors),
    }
    return Place(HALL, HALL, facts)


def _zone(zone: str, given: Now) -> Place:
    within = [id for id, each in given.plan.devices.items() if given.plan.zone(each) == zone]
    floors = [given.floors.get(device, Floor()) for device in within]
    subject = f"zone/{zone}"
    facts: Facts = {
        "zone": zone,
        "inside": _inside(subject, given),
        "wet": any(floor.wet for floor in floors),
        "rain": any(floor.rain for floor in floors),
    }
    return Place(subject, subject, facts, zone)


def _window(window: Window, given: Now) -> Place:
    zone = given.plan.zones.get(window.id)
    facts: Facts = {
        "window": window.id,
        "zone": zone,
        "state": window.state,
        "ticket": window.ticket,
        "business": window.business,
        "staff": window.staff,
        "called_s": given.seconds(window.called),
        "serving_s": given.seconds(window.started),
    }
    subject = f"window/{window.id}"
    return Place(subject, subject, facts, zone, window.id)


def _service(window: Window, given: Now) -> Place:
    """A service is another one when it started at another time, whatever its ticket."""
    zone = given.plan.zones.get(window.id)
    facts: Facts = {
        "window": window.id,
        "zone": zone,
        "ticket": window.ticket or "",
        "business": window.business,
        "staff": window.served_by or window.staff,
        "serving_s": given.seconds(window.started),
        "limit_min": given.plan.limits.minutes(window.business),
    }
    key = f"service/{window.id}/{window.ticket}/{window.started}"
    return Place(key, f"window/{window.id}", facts, zone, window.id)


def _device(device: PlannedDevice, given: Now) -> Place:
    row = given.devices.get(device.id, DeviceRow())
    floor = given.floors.get(device.id, Floor())
    zone = given.plan.zone(device)
    facts: Facts = {
        "device": device.id,
        "role": device.role,
        "profile": device.profile.name,
        "window": device.window,
        "zone": zone,
        "online": row.online,
        "silent_s": given.seconds(row.seen),
        "wet": floor.wet,
        "rain": floor.rain,
    }
    key = f"device/{device.id}"
    return Place(key, device.subject, facts, zone, device.window, device.id)


def service_moved(key: str, jump: Jump) -> str:
    """The key of a service whose start went with the clock; any other key as it is."""
    kind, _, rest = key.partition("/")
    about, _, started = rest.rpartition("/")
    if kind != "service" or not started.isdigit() or not jump.moves(int(started)):
        return key
    return f"service/{about}/{int(started) + jump.by}"


def _inside(place: str, given: Now) -> int:
    occupancy = given.state.occupancies.get(place)
    return occupancy.inside if occupancy else 0
