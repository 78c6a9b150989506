"""The devices of the hall, as their page shows them.

Here: what of the store and the settings becomes a row. Not here: the page and what may be asked of
a device (pages_devices.py).
"""

import sqlite3
from dataclasses import dataclass
from typing import Any, Literal, cast

from hall_profiles import Profile

from hall_gateway.config import GatewayConfig, load_profile
from hall_gateway.config_hall import DeviceConfig
from hall_gateway.state import Json
from hall_gateway.store_console import Look, Told, reported
from hall_gateway.store_hall import DeviceRow

FAULTS = 200
"""Of all devices, the newest, among which each device's last ones are."""

FAULTS_EACH = 3

Health = Literal["good", "warn", "bad", "rest"]


@dataclass(frozen=True)
class Fault:
    """What a device, or the gateway about it, found wrong, and more of it. `at` is unix ms."""

    at: int
    code: str
    value: str
    until: int = 0
    """Unix ms: so long the device is not listened to."""


@dataclass(frozen=True)
class DeviceLine:
    """A device. `seen` is unix ms; `errors` are its own words, the newest last."""

    id: str
    profile: Profile
    window: str | None
    zone: str | None
    health: Health
    word: str
    """Of the state: devices.{word}."""
    online: bool | None
    seen: int | None
    firmware: str | None
    update: Json
    """Which slot runs, and how its update stands: `slot`, `s`, `p`; empty where it says nothing."""
    reported_profile: str | None
    up_s: int | None
    cause: str | None
    waiting: int | None
    """Events in its journal that the gateway has not acked."""
    lost: int
    errors: list[str]
    faults: list[Fault]
    owed: int
    can_identify: bool
    sleeps: bool
    revoked: bool


def devices(connection: sqlite3.Connection, config: GatewayConfig, now: int) -> list[DeviceLine]:
    """Every device of the settings at unix ms `now`, what needs somebody first. Raises
    sqlite3.Error."""
    look = Look(connection)
    rows, owed = look.devices(), look.owed()
    faults: dict[str, list[Fault]] = {}
    for told in look.last("device", ("fault",), FAULTS) + look.last("floor", ("fault",), FAULTS):
        faults.setdefault(_device_of(told), []).append(_fault(told))
    lines = [
        _line(device, rows.get(device.id), faults.get(device.id, []), owed.get(device.id, 0), now)
        for device in config.devices
    ]
    order: dict[Health, int] = {"bad": 0, "warn": 1, "good": 2, "rest": 3}
    return sorted(lines, key=lambda line: order[line.health])


def _line(
    device: DeviceConfig, row: DeviceRow | None, faults: list[Fault], owed: int, now: int
) -> DeviceLine:
    profile = load_profile(device.profile)
    told = reported(row)
    health, journal = _object(told.get("health")), _object(told.get("journal"))
    firmware, other = _text(told.get("fw")), _text(told.get("profile"))
    errors = [str(each) for each in _list(health.get("errors"))]
    sleeps = profile.transport == "coap"
    word = _word(device, row, errors, other not in (None, profile.name), sleeps)
    if not device.revoked and any(fault.until > now for fault in faults):
        word = "kept_out"
    acked, after = _number(journal.get("acked")), _number(journal.get("next"))
    return DeviceLine(
        device.id,
        profile,
        device.window,
        device.zone,
        _HEALTH[word],
        word,
        row.online if row else None,
        row.seen if row else None,
        firmware,
        _object(told.get("update")),
        other,
        _number(health.get("up_s")),
        _text(health.get("cause")),
        None if acked is None or after is None else max(0, after - 1 - acked),
        _number(journal.get("lost")) or 0,
        errors,
        sorted(faults, key=lambda fault: -fault.at)[:FAULTS_EACH],
        owed,
        profile.role in ("call_display", "keypad"),
        sleeps,
        device.revoked,
    )


_HEALTH: dict[str, Health] = {
    "online": "good",
    "sleeps": "good",
    "errors": "warn",
    "kept_out": "bad",
    "wrong_profile": "bad",
    "offline": "bad",
    "never": "warn",
    "revoked": "rest",
}


def _word(
    device: DeviceConfig, row: DeviceRow | None, errors: list[str], mistaken: bool, sleeps: bool
) -> str:
    if device.revoked:
        return "revoked"
    if row is None or row.online is None:
        return "never"
    if not row.online:
        return "offline"
    if mistaken:
        return "wrong_profile"
    if errors:
        return "errors"
    return "sleeps" if sleeps else "online"


def _device_of(told: Told) -> str:
    """Whom a fault is about: named in it, or the one that tells it."""
    named = told.data.get("device")
    if isinstance(named, str):
        return named
    return str(told.body.get("source", "")).rpartition("/")[2]


def _fault(told: Told) -> Fault:
    data = told.data
    said = (data.get(name) for name in ("value", "reason", "reported", "lost"))
    value = next((each for each in said if each is not None), "")
    # Only the gateway says of whom it speaks; what a device says of itself holds for nothing.
    until = _number(data.get("until")) if "device" in data else None
    return Fault(told.at, str(data.get("code")), str(value), until or 0)


def _object(value: Any) -> Json:
    return cast(Json, value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
