"""The arithmetic of the figures: each rule of rounding and ranking stands here, once.

Here: pure functions of numbers. Not here: what they are applied to (kpis.py, tickets.py).

Counts and times are whole numbers, and shares are rounded from them exactly, half up: the same
counts give the same digits on every machine and in every program.
"""

from collections.abc import Sequence
from math import sqrt

DIGITS = 4
"""Shares are told with so many decimals: 0.9333 is 93.33 %."""

Z_95 = 1.959963984540054
"""The quantile of the normal distribution for a two-sided interval of 95 %."""


def nearest_rank(values: Sequence[int], percent: int) -> int | None:
    """The smallest of `values` that at least `percent` % of them (1 to 100) do not exceed.

    So it is always one that occurred; the median of an even number is the lower middle one. None
    when there are none. (Nearest rank: Hyndman & Fan 1996, type 1.)
    """
    if not values:
        return None
    rank = -(-len(values) * percent // 100)
    return sorted(values)[rank - 1]


def mean(values: Sequence[int]) -> int | None:
    """The arithmetic mean, rounded half up to a whole number; None of none."""
    return (2 * sum(values) + len(values)) // (2 * len(values)) if values else None


def share(part: int, whole: int) -> float | None:
    """`part` ÷ `whole`, rounded half up to DIGITS decimals; None of nothing. Both are >= 0."""
    if not whole:
        return None
    scale: int = 10**DIGITS
    return (2 * part * scale + whole) // (2 * whole) / scale


def wilson(good: int, n: int) -> tuple[float, float] | None:
    """The 95 % Wilson score interval of a share of `good` in `n`, to DIGITS decimals; None of none.

    Without continuity correction (Wilson 1927; Newcombe 1998, method 3).
    """
    if not n:
        return None
    p, z2 = good / n, Z_95 * Z_95
    centre = p + z2 / (2 * n)
    half = Z_95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low, high = (centre - half) / (1 + z2 / n), (centre + half) / (1 + z2 / n)
    # Exact at the ends, where the root leaves a rest of some 1e-17.
    return (0.0 if good == 0 else round(low, DIGITS)), (1.0 if good == n else round(high, DIGITS))
