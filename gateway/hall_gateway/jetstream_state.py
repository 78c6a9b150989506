"""What a hall tells its back office of itself: the payload of `hall.v1.{hall}.state`.

Here: making it of what the gateway knows; pure. Not here: when it is sent (jetstream_link.py).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from hall_gateway.health import Health
from hall_gateway.plan import Plan
from hall_gateway.store_rules import Alert
from hall_gateway.wire import compact, one_line, rfc3339

MAX_BYTES = 64 * 1024
MAX_PROBLEMS = 5
MAX_DEVICES = 200
MAX_ALERTS = 20
MAX_AREAS = 50
_TEXT = 300
"""Characters of a problem, or of a device's error."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Reach:
    """How far the servers took the events of an outbox: all that they are to have of those after
    position `began`, up to position `to`. `store`: whose outbox."""

    store: str
    began: int
    to: int


@dataclass(frozen=True)
class Told:
    """A state but for its time, the number of events that wait, and how far the servers took them,
    which always change."""

    state: Json

    def payload(self, now: int, waiting: int, reach: Reach) -> bytes:
        """At unix ms `now`, with so many events `waiting` for the back office, which has them as
        far as `reach`. Devices that make it larger than MAX_BYTES are left out."""
        hall: Json = {"hall": self.state["hall"], "at": rfc3339(now)}
        state: Json = {**hall, **self.state, "outbox": waiting, "told": vars(reach)}
        while len(body := compact(state)) > MAX_BYTES and state["devices"]:
            state["devices"] = state["devices"][: len(state["devices"]) // 2]
        return body


def told(
    plan: Plan,
    version: str,
    health: Health,
    devices: Mapping[str, bytes],
    alerts: Sequence[Alert],
    name: str | None,
    hall_class: str | None,
) -> Told:
    """How the hall is. `devices`: Core.device_states(); `alerts`: those that stand."""
    state: Json = {
        "hall": plan.hall,
        "version": version,
        "status": health.status,
        "problems": [reason.text[:_TEXT] for reason in health.reasons[:MAX_PROBLEMS]],
        "devices": list(_devices(plan, devices)),
        "alerts": [_alert(alert) for alert in alerts[:MAX_ALERTS]],
    }
    areas = sorted(plan.occupancy.areas)[:MAX_AREAS]
    state |= {"areas": areas} if areas else {}
    state |= {"name": name} if name is not None else {}
    state |= {"class": hall_class} if hall_class is not None else {}
    return Told(state)


def _devices(plan: Plan, states: Mapping[str, bytes]) -> Iterable[Json]:
    for planned in list(plan.devices.values())[:MAX_DEVICES]:
        known: Json = json.loads(states.get(planned.id, b"{}"))
        reported = _group(known, "state")
        errors: Any = _group(reported, "health").get("errors")
        firmware: Any = reported.get("fw")
        yield {
            "id": planned.id,
            "profile": planned.profile.name,
            "where": planned.subject,
            "online": bool(known.get("online")),
            "fw": one_line(firmware) if isinstance(firmware, str) else None,
            "error": _last(errors),
        }


def _group(of: Json, name: str) -> Json:
    """A device may report anything."""
    found: Any = of.get(name)
    return cast(Json, found) if isinstance(found, dict) else {}


def _last(errors: object) -> str | None:
    known = cast("list[object]", errors) if isinstance(errors, list) else []
    return one_line(str(known[-1]), _TEXT) if known else None


def _alert(alert: Alert) -> Json:
    return {
        "id": alert.id,
        "rule": alert.rule,
        "level": alert.level,
        "title": alert.title,
        "since": rfc3339(alert.raised),
    }
