"""How long something takes, counted by size: written by one thread, read by another.

Here: counting. Not here: what is measured (heart.py), and how it is told (metrics.py).
"""

from bisect import bisect_left

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""From a commit on an NVMe disk to one on a worn SD card."""


class Durations:
    """Counts since the start."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def took(self, seconds: float) -> None:
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def up_to(self) -> list[tuple[float, int]]:
        """How many took at most each of BOUNDS_S, and how many in all (infinity)."""
        told: list[tuple[float, int]] = []
        total = 0
        for bound, count in zip((*BOUNDS_S, float("inf")), self._counts, strict=True):
            total += count
            told.append((bound, total))
        return told
