"""How many people are inside, as the passages of the counters add up.

Here: the sum of the hall and of each area in it, its repair, its nightly reset, and when it is
told. Pure: no I/O, no clock; times are unix ms. Not here: storing and publishing (effects.py).

No counter sees everybody, so what comes in and what goes out drift apart. Two things keep that
small, and both are told, never done in silence:
- More cannot go out than are inside. Where they do, the ones that nobody saw coming in are added
  (`hall.count.repaired`). A passage that happened before and is heard of after, from a device that
  was cut off, takes its repair back.
- Every night at an hour when nobody is inside, the sum begins anew (`hall.count.reset`, with what
  was left over: the drift of that day).
"""

import logging
from dataclasses import dataclass

from hall_gateway.hall_clock import HallClock
from hall_gateway.models import PassageData
from hall_gateway.state import Emit, HallState, Occupancy, Outcome, altered

HALL = "hall"
"""The place of the hall's own sum, and the subject of its events."""

TELL_EVERY_MS = 10_000
"""From one occupancy that is told to the next one of a place, at least."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OccupancyRules:
    """`reset_hour` 0 to 23 in the hall's time, which is `utc_offset_min` minutes ahead of UTC.

    `areas`: zones that are rooms within the hall, with doors of their own; who passes those is in
    the hall before and after. The doors of all other zones are the hall's.
    """

    reset_hour: int = 3
    utc_offset_min: int = 480
    areas: frozenset[str] = frozenset()

    def place(self, subject: str) -> str:
        """Where somebody is who has gone in past a counter with this subject."""
        return subject if subject.removeprefix("zone/") in self.areas else HALL

    @property
    def clock(self) -> HallClock:
        return HallClock(self.reset_hour, self.utc_offset_min)


class Occupancies:
    """The sums of one hall in `state`, which it changes in step with what it returns."""

    def __init__(self, rules: OccupancyRules, state: HallState) -> None:
        self._rules = rules
        self._clock = rules.clock
        self._state = state

    def passage(self, subject: str, passage: PassageData, at: int, now: int) -> Outcome:
        """Somebody passed the counter of `subject` at unix ms `at`; the next tick tells."""
        outcome = Outcome()
        current = self._today(self._rules.place(subject), now, outcome)
        # A device's clock may be ahead, and then its time would make whoever comes in later one who
        # was heard of late.
        outcome.keep(self._state, _after(current, passage, min(at, now)))
        return outcome

    def tick(self, now: int) -> Outcome:
        """To be called once a second: the nightly reset, and what is to be told."""
        outcome = Outcome()
        for place, before in tuple(self._state.occupancies.items()):
            current = self._today(place, now, outcome)
            if not 0 <= now - current.told_at < TELL_EVERY_MS:
                current = _told(current, outcome, now)
            if current != before:
                outcome.keep(self._state, current)
        return outcome

    def _today(self, place: str, now: int, outcome: Outcome) -> Occupancy:
        """The sum of a place, begun anew when its time has come."""
        began = self._clock.began(now)
        current = self._state.occupancies.get(place)
        if current is None:
            return Occupancy(place, began)
        # A day that lies ahead is one of a clock that was wrong.
        if current.since >= began and current.since <= now:
            return current
        if current.entered or current.left or current.late:
            _log.info("%s: occupancy reset, %d were left over", place, current.inside)
            data = {
                "removed": current.inside,
                "in": current.entered,
                "out": current.left,
                "repaired": current.repaired,
                "late": current.late,
            }
            outcome.emits.append(Emit("hall.count.reset", place, data))
        # What was told last stands until the new sum differs from it.
        return Occupancy(place, began, told=current.told)


def _told(current: Occupancy, outcome: Outcome, now: int) -> Occupancy:
    """Tell what is new."""
    if current.unsaid:
        _log.warning("%s: %d more went out than had come in", current.place, current.unsaid)
        data = {"added": current.unsaid, "reason": "more_out_than_in"}
        outcome.emits.append(Emit("hall.count.repaired", current.place, data))
        current = altered(current, unsaid=0, told_at=now)
    if current.inside != current.told:
        data = {"inside": current.inside, "in": current.entered, "out": current.left}
        outcome.emits.append(Emit("hall.count.occupancy", current.place, data))
        current = altered(current, told=current.inside, told_at=now)
    return current


def _after(current: Occupancy, passage: PassageData, at: int) -> Occupancy:
    if at < current.since:
        # Of a day that is over, from a device that was cut off.
        return altered(current, late=current.late + 1)
    heard_at = max(current.heard_at, at)
    if passage.dir == "in":
        current = altered(current, heard_at=heard_at, entered=current.entered + 1)
        if not current.repaired or at > current.repaired_at:
            return current
        # What was never told needs no telling any more.
        unsaid = max(current.unsaid - 1, 0)
        return altered(current, repaired=current.repaired - 1, unsaid=unsaid)
    current = altered(current, heard_at=heard_at, left=current.left + 1)
    if current.inside >= 0:
        return current
    # Not the time of this passage: one that is heard of late may have let somebody else, who left
    # after it, be one too many.
    return altered(
        current,
        repaired=current.repaired + 1,
        repaired_at=current.heard_at,
        unsaid=current.unsaid + 1,
    )
