"""The hall at one moment, as its page shows it.

Here: what of the store becomes which part of the page. Not here: the page itself (pages_live.py).
"""

import sqlite3
from dataclasses import dataclass
from typing import Any

from hall_profiles import MARKS

from hall_gateway.config import GatewayConfig, load_profile
from hall_gateway.config_hall import DeviceConfig
from hall_gateway.console.alerts import standing
from hall_gateway.console.pictures import Pictures, Seen, seen
from hall_gateway.console.words import Words
from hall_gateway.figures import rules_of
from hall_gateway.figures_model import Service
from hall_gateway.kpi_services import Part, Rules
from hall_gateway.occupancy import HALL
from hall_gateway.state import Desired, Occupancy, Ticket, Window
from hall_gateway.store_console import Look, Told
from hall_gateway.store_figures import Figures
from hall_gateway.store_hall import DeviceRow
from hall_gateway.store_rules import Alert, Alerts
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
    limit_s: int
    """What the service may take; 0 while there is none."""

    @property
    def is_open(self) -> bool:
        window = self.window
        return window.state != "paused" and (window.staff is not None or window.ticket is not None)


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
    waiting: list[Ticket]
    takes: bool
    """Whether the queue system tells of tickets that are taken; without it nobody knows."""
    alerts: list[Alert]
    today: Service
    """The figures of today so far."""

    @property
    def open_desks(self) -> int:
        """Windows that are not paused, with a clerk or a ticket."""
        return sum(desk.is_open for desk in self.desks)


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
    rules = rules_of(config)
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
            rules,
        )
        for each in config.windows
    ]
    told = look.last("rating", ("given", "none"), RATINGS)
    inside, waiting = places.pop(HALL, None), look.tickets()
    return LiveHall(
        now,
        desks,
        screens.get(None, []),
        [_press(each, t) for each in told],
        inside,
        [places[name] for name in sorted(places)],
        waiting,
        bool(waiting or look.last("ticket", ("taken",), 1)),
        standing(Alerts(connection)),
        _today(connection, rules, now),
    )


def _today(connection: sqlite3.Connection, rules: Rules, now: int) -> Service:
    began = rules.clock.began(now)
    facts = Figures(connection).between(began, now + 1)
    ended = [service for service in facts.services if service.ended is not None]
    return Part(rules, facts.services, ended, facts.free_ratings).service()


def _desk(
    window: Window,
    name: str,
    screens: list[Screen],
    asking: bool,
    keypad: bool | None,
    rules: Rules,
) -> Desk:
    since = {"called": window.called, "serving": window.started}.get(window.state)
    limit_s = rules.limit_ms(window.business) // 1000 if window.state == "serving" else 0
    return Desk(window, name, since, screens, asking, keypad, limit_s)


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
