"""A clock that jumps: noticing it, and taking the times that the hall's state holds along.

Here: pure logic. Not here: who has a clock that cannot jump (service.py), the store's own times.

A gateway without a battery for its clock starts with an old time and is told the right one later;
somebody sets it by hand. What began a minute ago began a minute ago then too: no service has taken
a day, and no session is over. Only times of this run move: those of the store that are older were
told by a clock that was right, for all that is known.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hall_gateway.state import HallState, Outcome
from hall_gateway.windows import clock_set

JUMP_MS = 60_000
"""From here on a difference is a jump; less is what a time service corrects all the time."""
DEADLINE_MS = 3_600_000
"""So far ahead a text's end may lie."""
ORDER_MS = 90_000_000
"""So far ahead a device's time to answer may end."""
SETTLE_MS = 24 * 3600 * 1000
"""Nothing goes because of its age for so long after a jump ahead: it may be the wrong time."""

Clock = Callable[[], int]


@dataclass(frozen=True)
class Jump:
    """The clock went from unix ms `before` to `before + by`; this run began at `began`."""

    began: int
    before: int
    by: int

    def moves(self, time: int | None, ahead: int = 0) -> bool:
        """Whether `time` was told by this run's clock, at most `ahead` ms before it comes."""
        return time is not None and self.began <= time <= self.before + ahead


@dataclass(frozen=True)
class Look:
    """Both clocks at the same moment, and how one jumped until then."""

    now: int
    steady: int
    jump: Jump | None


class Watch:
    """Compares the clock with one that cannot jump. All in ms."""

    def __init__(self, now: int, steady: Clock) -> None:
        self._steady = steady
        self._began = self._last = now
        self._mark = self._settled = steady()

    @property
    def settled(self) -> bool:
        """Whether rows may go because of their age."""
        return self._steady() >= self._settled

    def look(self, now: int) -> Look:
        """What there is since the last look that was seen(). `now`: read just before."""
        steady = self._steady()
        before = self._last + steady - self._mark
        by = now - before
        jump = Jump(self._began, before, by) if abs(by) >= JUMP_MS else None
        return Look(now, steady, jump)

    def seen(self, look: Look) -> None:
        """It was acted on, however long that took."""
        self._last, self._mark = look.now, look.steady
        if (jump := look.jump) is not None:
            self._began += jump.by
            if jump.by > 0:
                self._settled = self._mark + SETTLE_MS


def moved(state: HallState, jump: Jump) -> Outcome:
    """The hall's state, its times moved with the clock."""
    outcome = Outcome()

    def along(time: int | None) -> int | None:
        return time + jump.by if time is not None and jump.moves(time) else time

    for window in list(state.windows.values()):
        times = {"called": window.called, "started": window.started, "attended": window.attended}
        taken = {name: along(time) for name, time in times.items()}
        active = along(window.active) or 0
        if jump.moves(window.attended):
            outcome.emits += clock_set(window, jump.before)
        outcome.keep(state, replace(window, active=active, **taken))
    for rating in list(state.ratings.values()):
        if rating.closed is None and jump.moves(rating.opened):
            called = along(rating.called)
            times = {"opened": rating.opened + jump.by, "started": along(rating.started)}
            outcome.keep(state, replace(rating, called=called, **times))
    for display in list(state.displays.values()):
        if display.text is not None and jump.moves(display.until, DEADLINE_MS):
            outcome.keep(state, replace(display, until=display.until + jump.by))
    for ticket in list(state.tickets.values()):
        if jump.moves(ticket.taken):
            outcome.keep(state, replace(ticket, taken=ticket.taken + jump.by))
    return outcome
