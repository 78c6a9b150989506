"""What the console reads of the store, beside what the areas' own tables tell.

Here: SQL of reading only, for a connection that may not write. Not here: what is made of it
(console/).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from hall_gateway.state import (
    Desired,
    Display,
    Json,
    Occupancy,
    Ticket,
    Window,
    desired_from,
    display_from,
    occupancy_from,
    ticket_from,
    window_from,
)
from hall_gateway.store_events import Table
from hall_gateway.store_hall import DeviceRow

FEED_DEPTH = 5000
"""Events, the newest, among which the last ones of some types are looked for: there is no index by
type, and a page must not take long for a type that never comes."""


@dataclass(frozen=True)
class Told:
    """A CloudEvent as it was published. `at` is unix ms when it was committed."""

    position: int
    type: str
    at: int
    body: Json

    @property
    def data(self) -> Json:
        return cast(Json, self.body["data"])

    @property
    def subject(self) -> str:
        return str(self.body.get("subject", ""))


class Look(Table):
    """The hall as it is now."""

    def windows(self) -> dict[str, Window]:
        rows = self.run("SELECT body FROM windows")
        return {window.id: window for window in (window_from(row[0]) for row in rows)}

    def desired(self) -> dict[str, Desired]:
        """By device."""
        rows = self.run("SELECT body FROM desired")
        return {each.device: each for each in (desired_from(row[0]) for row in rows)}

    def displays(self) -> dict[str, Display]:
        """By device."""
        rows = self.run("SELECT body FROM displays")
        return {each.device: each for each in (display_from(row[0]) for row in rows)}

    def occupancies(self) -> dict[str, Occupancy]:
        """By place."""
        rows = self.run("SELECT body FROM occupancies")
        return {each.place: each for each in (occupancy_from(row[0]) for row in rows)}

    def devices(self) -> dict[str, DeviceRow]:
        """By id, also such as are not in the settings any more."""
        rows = self.run("SELECT device, online, seen, state FROM devices")
        return {
            device: DeviceRow(None if online is None else bool(online), seen, state)
            for device, online, seen, state in rows
        }

    def tickets(self) -> list[Ticket]:
        """Those that wait, as they were taken."""
        rows = self.run("SELECT body FROM tickets")
        return sorted((ticket_from(row[0]) for row in rows), key=lambda ticket: ticket.taken)

    def asking(self) -> set[str]:
        """The windows whose keypads ask for a rating now."""
        rows = self.run("SELECT DISTINCT body ->> 'window' FROM ratings WHERE closed IS NULL")
        return {str(row[0]) for row in rows}

    def owed(self) -> dict[str, int]:
        """How many commands each device has not answered yet."""
        return dict(
            self.run("SELECT device, count(*) FROM device_commands GROUP BY device").fetchall()
        )

    def last(self, noun: str, verbs: Sequence[str], limit: int) -> list[Told]:
        """The newest events hall.{noun}.{verb}, the newest first."""
        places = ", ".join("?" * len(verbs))
        rows = self.run(
            "SELECT position, noun, verb, created, body FROM outbox WHERE position > "
            "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0) - ? "
            f"AND noun = ? AND verb IN ({places}) ORDER BY position DESC LIMIT ?",
            (FEED_DEPTH, noun, *verbs, limit),
        )
        return [
            Told(position, f"hall.{noun}.{verb}", at, json.loads(body))
            for position, noun, verb, at, body in rows
        ]


def reported(row: DeviceRow | None) -> Json:
    """What a device last said of itself; nothing when it never did, or it cannot be read."""
    if row is None or row.state is None:
        return {}
    told: Any = json.loads(row.state)
    return cast(Json, told) if isinstance(told, dict) else {}
