"""How well a panel is refreshed, in figures.

Here: rates, shares and gaps from flashes of light. Not here: where the flashes come from (`cable`).
"""

from dataclasses import dataclass

from hall_panel.cable import Broken

STRESS_NS = 100_000_000
"""The window of `Figures.stress`: LEDs bear short pulses, and heat up in about this time."""


@dataclass(frozen=True)
class Figures:
    """Of one span of time. Rows of one address are lit together, and count as one."""

    refresh_hz: float  # how often the most seldom lit row was lit a second
    duty: float  # share of the time that a row was lit, mean of all rows; 1/scans at most
    spread: float  # lit time of rows: (longest - shortest) / mean
    longest_gap_ms: float  # the longest that any row stayed dark
    stress: float  # largest share of any 100 ms that one row was lit
    longest_lit_ms: float  # the longest that a row was lit without a pause
    rows_over_cap: int  # rows (of one address) whose stress was above the caller's cap
    ghosts: int  # Picture.ghosts of the span: only of use while one picture is shown
    brightest_ghost: float
    broken: Broken  # since the eye's first frame
