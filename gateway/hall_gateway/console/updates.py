"""A roll-out of the devices' firmware, as the page of the devices shows it.

Here: what of the store becomes a panel. Not here: the page and what may be asked
(pages_devices.py), what a roll-out is (hall_gateway.rollout).
"""

import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import get_args

from hall_gateway.config_updates import UpdatesConfig
from hall_gateway.rollout_model import Phase, RollOut
from hall_gateway.store_updates import RollOuts

PHASES: tuple[Phase, ...] = get_args(Phase)


@dataclass(frozen=True)
class RollOutPanel:
    """The newest roll-out. `phases`: how many devices are how far; `health` names its colour;
    `hours` from which to which devices are told, None: at any time."""

    rollout: RollOut
    phases: dict[Phase, int]
    rings: int
    hours: tuple[int, int] | None

    @property
    def health(self) -> str:
        return {"running": "busy", "stopped": "bad", "done": "good"}[self.rollout.state]


def roll_out(connection: sqlite3.Connection, settings: UpdatesConfig) -> RollOutPanel | None:
    """None when there never was one. Raises sqlite3.Error."""
    found = next(iter(RollOuts(connection).all()), None)
    if found is None:
        return None
    hours = (settings.from_hour, settings.to_hour)
    counted = Counter(member.phase for member in found.members)
    return RollOutPanel(
        found,
        {phase: counted[phase] for phase in PHASES if counted[phase]},
        1 + max((member.ring for member in found.members), default=0),
        hours if hours[0] != hours[1] else None,
    )
