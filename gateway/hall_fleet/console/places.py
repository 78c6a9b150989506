"""Which halls can be told apart by their ratings: a place as a range.

Here: pure arithmetic over intervals. Not here: the intervals (hall.standing), how they are shown.

A hall is better than another when its whole interval lies above the other's. So a hall's place is
not one number: at best it comes after all that are certainly better, at worst before all that are
certainly worse. Halls whose intervals overlap have ranges that overlap, and are not told apart.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """From `best` to `worst`, counted from 1."""

    best: int
    worst: int


def places(intervals: Sequence[tuple[float, float]]) -> list[Range]:
    """The range of each of `intervals` (low, high) among all of them."""
    lows = sorted(low for low, _ in intervals)
    highs = sorted(high for _, high in intervals)
    count = len(intervals)
    return [
        Range(1 + count - bisect_right(lows, high), count - bisect_left(highs, low))
        for low, high in intervals
    ]
