"""Calling a run to account: everything that is known of it, gathered and compared.

Here: what is compared with what. Not here: how (truth.py).
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hall_tools.chaos.devices import Device
from hall_tools.chaos.faults import Faults, Parts
from hall_tools.chaos.people import Told
from hall_tools.chaos.plan import Plan
from hall_tools.chaos.report import Healing, Report
from hall_tools.chaos.system import HallSystem
from hall_tools.chaos.truth import Arrivals, Deeds, compare_arrivals, compare_deeds

SILENT = {"close", "shown"}
"""Kinds of device events that may say nothing by themselves to the hall system: the end of a
session is told as its rating, and a call is told as shown once."""

_ALARMS = "journal_overflow", "journal_replaced", "identity_conflict", "refused_event"
"""Faults of a device that mean that the gateway got something it should not have."""


def account(
    plan: Plan,
    parts: Parts,
    told: Told,
    faults: Faults,
    healing: Healing,
    resident_mb: Sequence[float],
    ran_s: float,
) -> Report:
    """Every device has been read, and nothing moves any more."""
    system, devices = parts.system, list(parts.devices.values())
    for device in devices:
        device.scan()
    arrivals = _arrivals(parts.gateway.log.with_name("hall.db"), devices, system)
    deeds = {device.id: _deeds(device) for device in devices}
    promises = _promises(told, system)
    packets: Counter[str] = Counter()
    for link in parts.links.values():
        packets.update(link.done)
    processes = (parts.gateway, parts.device_broker, parts.upstream)
    return Report(
        plan=plan,
        devices=len(devices),
        ran_s=ran_s,
        done=dict(sorted(faults.done.items())),
        idle=dict(sorted(faults.idle.items())),
        packets=dict(packets),
        starts={part.name: part.starts for part in processes},
        journalled=sum(len(device.records) for device in devices),
        received=len(system.bodies),
        again=system.again,
        certain=sum(each.certain for each in deeds.values()),
        in_doubt=sum(each.in_doubt for each in deeds.values()),
        starved=sum(each.starved for each in deeds.values()),
        promised=told.promised.total(),
        refused=len(told.refused),
        asked_again=system.asked_again,
        online=sum(system.online(device.id) for device in devices),
        healing=healing,
        resident_mb=[round(each, 1) for each in resident_mb],
        lost=[*arrivals.lost, *_at(deeds, "lost"), *promises.lost],
        doubled=[*arrivals.doubled, *promises.doubled],
        unexpected=[*arrivals.unexpected, *_at(deeds, "unexpected")],
        resets=dict(sum((device.resets for device in devices), Counter[str]())),
        problems=[
            *_problems(devices),
            *_alarms(system),
            *_refusals(told),
            *_tracebacks(parts.gateway.log),
        ],
    )


def _arrivals(store: Path, devices: Sequence[Device], system: HallSystem) -> Arrivals:
    committed, stored = _stored(store)
    journalled = {
        f"{device.id}/{record.epoch:08x}/{record.seq}": record.kind
        for device in devices
        for record in device.records.values()
    }
    silent = {id for id, kind in journalled.items() if kind in SILENT and id in stored}
    return compare_arrivals(journalled, committed, silent, system.bodies)


def _stored(store: Path) -> tuple[dict[str, bytes], set[str]]:
    """What the gateway has for the hall system, by id, and the ids of all device events."""
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        outbox = connection.execute("SELECT id, body FROM outbox").fetchall()
        events = connection.execute("SELECT device, epoch, seq FROM events").fetchall()
    finally:
        connection.close()
    bodies = {id: body if isinstance(body, bytes) else body.encode() for id, body in outbox}
    return bodies, {f"{device}/{epoch:08x}/{seq}" for device, epoch, seq in events}


def _deeds(device: Device) -> Deeds:
    records: list[str | int]
    match device.role:
        case "keypad":
            kinds = device.told("press", "reason")
            records = [record.data["key"] for record in kinds]
        case "people_counter":
            records = [record.data["dir"] for record in device.told("passage")]
        case "wet_floor":
            records = ["" for _ in device.told("wet")]
        case _:
            return Deeds()
    return compare_deeds(device.deeds, device.life, records)


def _at(deeds: dict[str, Deeds], which: str) -> list[str]:
    return [f"{device}: {each}" for device, found in deeds.items() for each in vars(found)[which]]


def _promises(told: Told, system: HallSystem) -> Arrivals:
    """What the gateway said `ok` to is one event each, neither none nor two."""
    found: Counter[tuple[str, str]] = Counter()
    for bodies in system.bodies.values():
        event: dict[str, Any] = json.loads(bodies[0])
        data: dict[str, Any] = event["data"]
        found[event["type"], str(data.get("ticket"))] += 1
    result = Arrivals()
    for (type, ticket), count in told.promised.items():
        came = found[type, ticket]
        if came < count:
            result.lost.append(f"{type} of {ticket}, which was promised")
        elif came > count:
            result.doubled.append(f"{type} of {ticket}: {came} events")
    for (type, ticket), count in found.items():
        if type in ("hall.rating.given", "hall.rating.none") and ticket != "None" and count > 1:
            result.doubled.append(f"{type} of {ticket}: {count} events")
    return result


def _problems(devices: Sequence[Device]) -> list[str]:
    return [problem for device in devices for problem in device.problems]


def _alarms(system: HallSystem) -> list[str]:
    alarms: list[str] = []
    for id, bodies in system.bodies.items():
        event = json.loads(bodies[0])
        if event["type"] == "hall.device.fault" and event["data"].get("code") in _ALARMS:
            alarms.append(f"{id}: {event['data']}")
    return alarms


def _tracebacks(log: Path) -> list[str]:
    """What no gateway should ever have to say."""
    lines = log.read_text(errors="replace").splitlines()
    found = [number for number, line in enumerate(lines) if line.startswith("Traceback")]
    return [f"gateway: {' / '.join(lines[at : at + 40])}" for at in found]


def _refusals(told: Told) -> list[str]:
    return [f"refused: {each}" for each in told.refused]
