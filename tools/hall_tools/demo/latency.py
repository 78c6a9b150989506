"""How long things took: samples by name, and their percentiles.

Here: arithmetic. Not here: where a sample is taken.
"""

import math
from collections import defaultdict, deque
from collections.abc import Collection


class Latencies:
    """The latest 10,000 samples in s by the name of a figure; figures are given in ms."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=10_000))

    def add(self, name: str, seconds: float) -> None:
        self._samples[name].append(seconds)

    def figures(self) -> dict[str, dict[str, float]]:
        """For every name `n` and p50, p90, p99 and max in ms."""
        return {name: summary(samples) for name, samples in sorted(self._samples.items())}


def summary(samples: Collection[float]) -> dict[str, float]:
    """`n`, p50, p90, p99, max in ms of at least one sample in s; nearest-rank percentiles."""
    ordered = sorted(samples)
    ranks = {f"p{p}": math.ceil(p / 100 * len(ordered)) - 1 for p in (50, 90, 99)}
    figures = {name: round(ordered[rank] * 1000, 1) for name, rank in ranks.items()}
    return {"n": len(ordered), **figures, "max": round(ordered[-1] * 1000, 1)}
