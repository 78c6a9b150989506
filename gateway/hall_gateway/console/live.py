"""The hall at one moment, as its page shows it.

Here: what of the store becomes which part of the page. Not here: the page itself (pages_live.py).
"""

import sqlite3
from dataclasses import dataclass
from typing import Any

from hall_profiles import MARKS

from hall_gateway.config import GatewayConfig, load_profile
from hall_gateway.config_hall import DeviceConfig
from hall_gateway.console.pictures import Pictures, Seen, seen
from hall_gateway.console.words import Words
from hall_gateway.occupancy import HALL
from hall_gateway.state import Desired, Occupancy, Window
from hall_gateway.store_console import Look, Told
from hall_gateway.store_hall import DeviceRow
from hall_gateway.views import TTL_S

RATINGS = 12
"""The newest, on the page."""

BAD = 2
"""A mark that asks for somebody's attention is this one or worse."""


@dataclass(frozen=True)
class Screen:
    """A display and what is on it. `key` is its picture's."""

    id: str
    place: str
    seen: Seen
    key: str
    online: bool
    last: int | None


@dataclass(frozen=True)
class Desk:
    """A window with what stands there. `since` is unix ms, for the state it is in."""

    window: Window
    name: str
    since: int | None
    screens: list[Screen]
    asking: bool
    keypad: bool | None
    """Whether its keypad is online; None without one."""


@dataclass(frozen=True)
class Press:
    """A rating, or that there was none. `mark` 5 (best) to 1."""

    id: str
    at: int
    window: str
    ticket: str | None
    staff: str | None
    mark: int | None
    label: str
    bad: bool


@dataclass(frozen=True)
class LiveHall:
    """Everything on the page. `now` is unix ms."""

    now: int
    desks: list[Desk]
    others: list[Screen]
    ratings: list[Press]
    inside: Occupancy | None
    areas: list[Occupancy]


def live(
    connection: sqlite3.Connection,
    config: GatewayConfig,
    pictures: Pictures,
    now: int,
    t: Words,
) -> LiveHall:
    """The hall at unix ms `now`. Raises sqlite3.Error."""
    look = Look(connection)
    windows, devices, wanted = look.windows(), look.devices(), look.desired()
    asking, places = look.asking(), look.occupancies()
    screens: dict[str | None, list[Screen]] = {}
    keypads: dict[str | None, bool] = {}
    for device in config.devices:
        role = load_profile(device.profile).role
        if device.revoked:
            continue
        row = devices.get(device.id)
        if role == "call_display":
            screen = _screen(config, pictures, device, wanted.get(device.id), row, now, t)
            screens.setdefault(device.window, []).append(screen)
        elif role == "keypad":
            keypads[device.window] = bool(row and row.online)
    desks = [
        _desk(
            windows.get(each.id, Window(each.id)),
            each.name,
            screens.get(each.id, []),
            each.id in asking,
            keypads.get(each.id),
        )
        for each in config.windows
    ]
    told = look.last("rating", ("given", "none"), RATINGS)
    inside = places.pop(HALL, None)
    return LiveHall(
        now, desks, screens.get(None, []), [_press(each, t) for each in told], inside,
        [places[name] for name in sorted(places)],
    )  # fmt: skip


def _desk(
    window: Window, name: str, screens: list[Screen], asking: bool, keypad: bool | None
) -> Desk:
    since = {"called": window.called, "serving": window.started}.get(window.state)
    return Desk(window, name, since, screens, asking, keypad)


def _screen(
    config: GatewayConfig,
    pictures: Pictures,
    device: DeviceConfig,
    wanted: Desired | None,
    row: DeviceRow | None,
    now: int,
    t: Words,
) -> Screen:
    what = seen(wanted, row, TTL_S, now, t)
    key = pictures.key(config, device, what.view, now)
    place = device.zone or ""
    return Screen(device.id, place, what, key, bool(row and row.online), row.seen if row else None)


def _press(told: Told, t: Words) -> Press:
    data = told.data
    mark: Any = data.get("mark")
    if told.type == "hall.rating.given" and isinstance(mark, int) and mark in MARKS:
        label = t.both(MARKS[mark])
    else:
        mark = None
        reason = str(data.get("reason", ""))
        label = t.maybe(f"none.{reason}", reason)
    return Press(
        str(told.body.get("id", told.position)),
        told.at,
        str(data.get("window", "")),
        data.get("ticket"),
        data.get("staff"),
        mark,
        label,
        mark is not None and mark <= BAD,
    )
