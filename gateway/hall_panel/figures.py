"""How well a panel is refreshed, in figures.

Here: rates, shares and gaps, from flashes of light. Not here: where the flashes come from
(`cable`), which LEDs they lit (`picture`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from hall_panel.cable import Broken, Flash
from hall_panel.picture import Picture

STRESS_NS = 100_000_000
"""The window of `Figures.stress`. A LED bears more than its mean current in short pulses; what
counts is the mean over a time in which it could heat up (100 ms: our choice)."""

Times = list[tuple[int, int]]


@dataclass(frozen=True)
class Figures:
    """Of a span of time. "A row": all rows of one address, which are lit together."""

    refresh_hz: float  # how often a second the row was lit that was lit least often
    duty: float  # share of the span that a row was lit, mean of the rows; 1/scans at most
    spread: float  # of the time that rows were lit: (longest - shortest) / mean
    longest_gap_ms: float  # that any row was dark without a break
    longest_lit_ms: float  # that any row was lit without a break
    stress: float  # the largest share of any 100 ms that one row was lit
    rows_over_cap: int  # rows whose largest share was above the caller's cap
    ghosts: int  # Picture.ghosts(): means something as long as one picture is shown
    brightest_ghost: float
    broken: Broken  # since the eye opened


def measure(
    flashes: Iterable[Flash],
    steps: int,
    span: tuple[int, int],
    cap: float,
    picture: Picture,
    broken: Broken,
) -> Figures:
    """Figures of the span (since, until; ns), which all `flashes` lie in, oldest first."""
    rows = _times(flashes, steps)
    lit = [sum(end - start for start, end in row) for row in rows]
    stress = [most_lit(row, STRESS_NS) / STRESS_NS for row in rows]
    ghosts, brightest = picture.ghosts()
    return Figures(
        refresh_hz=min(_rate(row) for row in rows),
        duty=sum(lit) / steps / (span[1] - span[0]),
        spread=(max(lit) - min(lit)) * steps / (sum(lit) or 1),
        longest_gap_ms=max(_gap(row, span) for row in rows) / 1e6,
        longest_lit_ms=max((end - start for row in rows for start, end in row), default=0) / 1e6,
        stress=max(stress),
        rows_over_cap=sum(share > cap for share in stress),
        ghosts=ghosts,
        brightest_ghost=brightest,
        broken=broken,
    )


def most_lit(row: Times, window: int) -> int:
    """The most ns that a row was lit within any `window` ns.

    Let a best window slide on until its light changes: it can only fall, and begins to when the
    window leaves the start of a flash. So only windows that begin with a flash need a look.
    """
    starts = [start for start, _ in row]
    before = [0, *accumulate(end - start for start, end in row)]

    def until(ns: int) -> int:
        index = bisect_right(starts, ns)
        if index == 0:
            return 0
        start, end = row[index - 1]
        return before[index - 1] + min(ns, end) - start

    return max((until(start + window) - until(start) for start in starts), default=0)


def _times(flashes: Iterable[Flash], steps: int) -> Sequence[Times]:
    """When each row was lit; light that only changed its data went on."""
    rows: list[Times] = [[] for _ in range(steps)]
    for flash in flashes:
        row = rows[flash.step]
        if row and row[-1][1] == flash.start_ns:
            row[-1] = row[-1][0], flash.end_ns
        else:
            row.append((flash.start_ns, flash.end_ns))
    return rows


def _rate(row: Times) -> float:
    """Flashes a second; 0 when there were not two."""
    return 1e9 * (len(row) - 1) / (row[-1][0] - row[0][0]) if len(row) > 1 else 0.0


def _gap(row: Times, span: tuple[int, int]) -> int:
    ends = [span[0], *(end for _, end in row)]
    starts = [*(start for start, _ in row), span[1]]
    return max(start - end for start, end in zip(starts, ends, strict=True))
