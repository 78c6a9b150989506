"""The hall as Home Assistant sees it: its devices and entities, and what each is at now.

Here: MQTT discovery payloads (device discovery, one for each device with all its entities) and the
values of their state topics. Pure. Not here: publishing (home_assistant_link.py).
"""

from collections.abc import Iterable, Mapping
from importlib.metadata import version

from hall_gateway.occupancy import HALL
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.state import HallState, Json

ORIGIN: Json = {"name": "Hallkit", "sw_version": version("hallkit")}

Entities = dict[str, Json]


def root(hall: str) -> str:
    """Where everything but the discovery payloads is published."""
    return f"hallkit/{hall}"


def object_id(hall: str, device: str = "") -> str:
    """Of a discovery topic, and Home Assistant's identifier of the device; the hall itself is one.
    Ids have no `_`, so no two are the same."""
    return f"hallkit_{hall}_{device}"


def discovery(plan: Plan) -> dict[str, Json]:
    """The payload of every discovery topic, by its object id."""
    hall = plan.hall
    payloads = {object_id(hall): _payload(plan, None, _hall_entities(plan))}
    for device in plan.devices.values():
        if entities := _device_entities(device):
            payloads[object_id(hall, device.id)] = _payload(plan, device, entities)
    return payloads


def values(
    plan: Plan, state: HallState, devices: Mapping[str, Json], waiting: int
) -> dict[str, str]:
    """What every state topic says now, by its end. `devices` are the devices' states as the hall
    system gets them; what nobody knows yet is None, which Home Assistant shows as unknown."""
    inside = {place: found.inside for place, found in state.occupancies.items()}
    accepted = sum(told.get("ratings", {}).get("accepted", 0) for told in devices.values())
    told = {"hall/ratings": str(accepted), "hall/queue": str(waiting)}
    for place in _places(plan):
        told[_occupancy(place)] = str(inside.get(place, 0))
    for id, device in plan.devices.items():
        entities = _device_entities(device)
        if not entities:
            continue
        known = devices.get(id, {})
        told[f"{id}/online"] = "1" if known.get("online") else "0"
        for name in entities:
            on = _shown(known, name)
            told[f"{id}/{name}"] = "None" if not isinstance(on, bool) else "ON" if on else "OFF"
    return told


def _shown(known: Json, name: str) -> object:
    """What a device said last of itself; None when it has not."""
    state: Json = known.get("state") or {}
    shows: Json = state.get("shows") or {}
    return shows.get(name)


def _hall_entities(plan: Plan) -> Entities:
    """Of the hall itself, and of the areas in it."""
    counted: Json = {"platform": "sensor", "state_class": "measurement"}
    entities: Entities = {
        "queue": counted | {"name": "等候人数 Waiting", "icon": "mdi:human-queue"},
        "ratings": {
            "platform": "sensor",
            "name": "有效评价 Ratings",
            "state_class": "total_increasing",
            "icon": "mdi:emoticon-outline",
        },
    }
    for place in _places(plan):
        area = place.removeprefix("zone/")
        name = "在场人数 Occupancy" if place == HALL else f"在场人数 Occupancy {area}"
        about = {"name": name, "icon": "mdi:account-group"}
        entities[_occupancy(place).removeprefix("hall/")] = counted | about
    return entities


def _device_entities(device: PlannedDevice) -> Entities:
    """Of a device; by what it reports."""
    if device.role != "wet_floor":
        return {}
    moisture: Json = {"platform": "binary_sensor", "device_class": "moisture"}
    entities = {"wet": moisture | {"name": "地面积水 Wet floor"}}
    if "rain" in device.profile.pins:
        entities["rain"] = moisture | {"name": "下雨 Rain", "icon": "mdi:weather-rainy"}
    return entities


def _payload(plan: Plan, device: PlannedDevice | None, entities: Entities) -> Json:
    id = object_id(plan.hall, device.id if device else "")
    base = f"{root(plan.hall)}/{device.id if device else 'hall'}"
    about: Json = {"identifiers": [id], "name": plan.hall, "manufacturer": "Hallkit"}
    topics = [f"{root(plan.hall)}/online"]
    if device is not None:
        about |= {
            "name": f"{plan.hall} {device.id}",
            "model": device.profile.name,
            "via_device": object_id(plan.hall),
        }
        topics.append(f"{base}/online")
    return {
        "device": about,
        "origin": ORIGIN,
        "components": {
            name: entity | {"unique_id": f"{id}_{name}", "state_topic": f"{base}/{name}"}
            for name, entity in entities.items()
        },
        "availability": [
            {"topic": topic, "payload_available": "1", "payload_not_available": "0"}
            for topic in topics
        ],
        "availability_mode": "all",
        "qos": 1,
    }


def _places(plan: Plan) -> Iterable[str]:
    return (HALL, *(f"zone/{area}" for area in sorted(plan.occupancy.areas)))


def _occupancy(place: str) -> str:
    return "hall/occupancy" if place == HALL else f"hall/occupancy-{place.removeprefix('zone/')}"
