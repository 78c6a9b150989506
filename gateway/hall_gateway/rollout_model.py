"""A roll-out as values: the release, its devices, how far each is, and the hours for it.

Here: what is kept of it, and what a step sees and says. Not here: the steps (rollout.py), the rows
(store_updates.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hall_gateway.hall_clock import HOUR_MS, MINUTE_MS, HallClock

Phase = Literal["waiting", "ordered", "staged", "confirmed", "failed"]
State = Literal["running", "stopped", "done"]


@dataclass(frozen=True)
class Target:
    """What devices of one family are told: the release's id and the size of its manifest."""

    id: str
    size: int


@dataclass(frozen=True)
class Member:
    """A device of a roll-out. `began` is when it was first told in this turn, `sent` when last
    (unix ms, 0: not yet), `why` the code that it failed with."""

    device: str
    family: str
    ring: int
    phase: Phase = "waiting"
    began: int = 0
    sent: int = 0
    why: str = ""


@dataclass(frozen=True)
class RollOut:
    """A release on its way to the devices. `why` and `device` say what stopped it, `by` who began
    it, `stopped_by` who stopped it by hand, `alerted` whether an alert told so. `turn`: since when
    this ring's devices can be told."""

    id: int
    version: str
    counter: int
    targets: Mapping[str, Target]
    members: tuple[Member, ...]
    by: str
    started: int
    state: State = "running"
    ring: int = 0
    turn: int | None = None
    why: str = ""
    device: str | None = None
    stopped_by: str | None = None
    ended: int | None = None
    alerted: bool = False


@dataclass(frozen=True)
class Seen:
    """A device as the gateway knows it: `says` and `version` are `s` and `v` of the `update` that
    it reported last."""

    online: bool
    says: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Tell:
    """A command for a device: take that release until unix ms `until`, or, without one, give up
    what it has not switched to."""

    device: str
    release: Target | None = None
    until: int | None = None


@dataclass(frozen=True)
class UpdateHours:
    """When devices are updated, in hours of the hall's clock; equal: always."""

    from_hour: int = 22
    to_hour: int = 6

    def until(self, clock: HallClock, now: int) -> int | None:
        """Unix ms at which the hours end that unix ms `now` is in; None when it is in none."""
        if self.from_hour == self.to_hour:
            return now + 24 * HOUR_MS
        hour = clock.hour(now)
        if (hour - self.from_hour) % 24 >= (self.to_hour - self.from_hour) % 24:
            return None
        whole = (now + clock.utc_offset_min * MINUTE_MS) % HOUR_MS
        return now - whole + (self.to_hour - hour) % 24 * HOUR_MS
