"""Shares with their intervals, as shapes.

Here: pure geometry, in the units of the drawing's own view box. Not here: how it is drawn
(templates/intervals.html), columns (hall_gateway.console.charts).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hall_gateway.console.charts import HEIGHT, WIDTH, Mark

_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 12, 26
_MAX_LABELS = 11

Interval = tuple[float, float, float, bool]
"""Low, share, high, and whether there are enough ratings."""


@dataclass(frozen=True)
class Whisker:
    """One interval at `x`; `text` says which it is."""

    x: float
    top: float
    middle: float
    bottom: float
    enough: bool
    text: str


@dataclass(frozen=True)
class Whiskers:
    """Intervals beside each other, over named places."""

    marks: list[Whisker]
    scale: list[Mark]
    categories: list[Mark]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    bottom: float = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def floor_of(lows: Sequence[float]) -> float:
    """Where a scale up to 1 begins, so that intervals can be seen: at a whole twentieth."""
    least = min(lows, default=0.0)
    return max(0.0, math.floor(min(least, 0.95) * 20 + 1e-9) / 20)


def whiskers(named: Sequence[tuple[str, Interval | None]]) -> Whiskers | None:
    """A whisker for each place that has an interval; None when none has."""
    lows = [one[0] for _, one in named if one is not None]
    if not lows:
        return None
    floor = floor_of(lows)
    rise, each = HEIGHT - _TOP - _BOTTOM, (WIDTH - _LEFT - _RIGHT) / len(named)

    def y(share: float) -> float:
        return round(_TOP + rise * (1 - share) / (1 - floor), 2)

    def x(place: int) -> float:
        return round(_LEFT + each * (place + 0.5), 2)

    marks = [
        Whisker(
            x(place),
            y(one[2]),
            y(one[1]),
            y(one[0]),
            one[3],
            f"{name}: {100 * one[1]:.1f}% ({100 * one[0]:.1f}%–{100 * one[2]:.1f}%)",
        )
        for place, (name, one) in enumerate(named)
        if one is not None
    ]
    lines = 5
    shares = [floor + (1 - floor) * n / lines for n in range(lines + 1)]
    every = -(-len(named) // _MAX_LABELS)
    return Whiskers(
        marks,
        [Mark(y(share), f"{100 * share:.0f}%") for share in shares],
        [Mark(x(place), name) for place, (name, _) in enumerate(named) if place % every == 0],
    )


def bar(low: float, share: float, high: float, floor: float, width: int) -> tuple[float, ...]:
    """Where an interval and its share lie on a line of `width` from `floor` to 1."""
    return tuple(round(width * (at - floor) / (1 - floor), 1) for at in (low, share, high))
