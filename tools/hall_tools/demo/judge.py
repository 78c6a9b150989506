"""What a press is worth, by the rule alone: told from when fingers touched, and nothing else.

Here: the rule of docs/decisions, "why a press does not count" and "what becomes of a mashed
session", as a person at the counter would apply it. Not here: what the keypad and the gateway make
of the press, which share no line with this; nor who presses (world.py).
All times are monotonic s.
"""

from dataclasses import dataclass

from hall_tools.demo.truth import CORRECTION_S, Occasion

MASH_S = 2.0
"""Three presses that begin within this time are mashing."""

STOOD_S = 1.0
"""But a press that had stood alone for this long is no part of a mashing that begins after it."""

CALM_S = 3.0
"""And so is every press until nobody has pressed for this long."""

BEFORE_S = 0.6
"""A finger needs up to this long from the wish to the key, on a machine that is busy."""

AFTER_S = 0.3
"""So much later a device may have noticed something than it happened."""


@dataclass(frozen=True)
class Verdict:
    """Of one press: `reason` None says that it was told as pressed. `spoiled`: keys of presses that
    had been told so, and do not count because of this one."""

    reason: str | None
    spoiled: tuple[int, ...] = ()


class Judge:
    """One keypad's; `window_s` is how long a customer is asked."""

    def __init__(self, window_s: float, marks: list[int]) -> None:
        self._window_s = window_s
        self._marks = marks
        self._occasion: Occasion | None = None
        self._cut: float | None = None  # when the next call took a session that was open
        self._touches: list[float] = []  # the last two
        self._mashed: float | None = None  # the last press of a mashing
        self._held: dict[int, float] = {}  # key -> until when

    def asks(self, occasion: Occasion) -> None:
        """A service has ended: its customer is asked."""
        self._occasion = occasion

    def called(self, at: float) -> None:
        """The next ticket is called here."""
        if self._open(at):
            self._cut = at
        self._occasion = None

    def touched(self, key: int, at: float, until: float) -> Verdict:
        """Somebody holds `key` down from `at` to `until`; inf: until let_go()."""
        occasion = self._occasion if self._open(at) else None
        since = self._mashing_since(key, at)
        self._held[key] = until
        self._touches = [*self._touches, at][-2:]
        if since is not None:
            self._mashed = at
        if occasion is None:
            recent = self._cut is not None and at - self._cut < self._window_s
            return Verdict("next_call" if recent else "out_of_session")
        if since is None:
            occasion.presses.append((at, self._marks[key - 1]))
            return Verdict(None)
        spoiled = [press for press in occasion.presses if press[0] >= since]
        occasion.presses = [press for press in occasion.presses if press[0] < since]
        return Verdict("mashing", tuple(self._marks.index(mark) + 1 for _, mark in spoiled))

    def let_go(self, key: int, at: float) -> None:
        """Nobody holds `key` down any more."""
        self._held[key] = at

    def unsure_s(self, now: float) -> float:
        """How long from now a press, or a call, would be too near to the edge of a rule for anybody
        to say what comes first; 0 when it is clear."""
        edges: list[float] = []
        if self._occasion:
            edges.append(self._occasion.ended + self._window_s)
            if self._occasion.presses:
                edges.append(self._occasion.presses[0][0] + CORRECTION_S)
        if self._cut is not None:
            edges.append(self._cut + self._window_s)
        if self._mashed is not None:
            edges.append(self._mashed + CALM_S)
        edges += [touch + MASH_S for touch in self._touches]
        clear = now
        if len(self._touches) == 2:
            first, second = self._touches
            if abs(second - first - STOOD_S) < AFTER_S:
                # Who can say whether a third press takes the first with it?
                clear = max(now, first + MASH_S + AFTER_S)
        for edge in sorted(edges):
            if edge - BEFORE_S < clear < edge + AFTER_S:
                clear = edge + AFTER_S
        return clear - now

    def calm_s(self, now: float) -> float:
        """How long from now a single press would still be part of somebody's mashing."""
        calm = [now]
        if self._mashed is not None:
            calm.append(self._mashed + CALM_S + AFTER_S)
        if len(self._touches) == 2:
            calm.append(self._touches[0] + MASH_S + AFTER_S)
        return max(calm) - now

    def alone_s(self, now: float) -> float:
        """How long from now a press may still belong to a session, or to the one before the last
        call."""
        ends = [now]
        if self._occasion:
            first = self._occasion.presses[0][0] if self._occasion.presses else None
            ended = self._occasion.ended + self._window_s
            ends.append((ended if first is None else first + CORRECTION_S) + AFTER_S)
        if self._cut is not None:
            ends.append(self._cut + self._window_s + AFTER_S)
        return max(ends) - now

    def _open(self, at: float) -> bool:
        occasion = self._occasion
        if occasion is None:
            return False
        if occasion.presses:
            return at - occasion.presses[0][0] < CORRECTION_S
        return at - occasion.ended < self._window_s

    def _mashing_since(self, key: int, at: float) -> float | None:
        """The first touch of the mashing that a press belongs to; None when to none."""
        since: float | None = None
        if self._mashed is not None and at - self._mashed < CALM_S:
            since = at
        held = [each for each, until in self._held.items() if each != key and until > at]
        if held:
            since = min([at, *(touch for touch in self._touches[-1:] if at - touch < STOOD_S)])
        if len(self._touches) == 2 and at - self._touches[0] < MASH_S:
            first, second = self._touches
            since = min(first if second - first < STOOD_S else second, since or at)
        return since
