"""What the benchmarks' tables have in common.

Here: how they look, and whether what was wanted was reached. Not here: what was measured.
"""

import os
from dataclasses import dataclass

from rich import box
from rich.table import Table


@dataclass(frozen=True)
class Target:
    """Something that was to be reached, what was, and whether that is enough."""

    what: str
    wanted: str
    found: str
    reached: bool


def table(title: str, first: str) -> Table:
    """An empty one whose first column is headed `first`."""
    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1))
    made.add_column(first, no_wrap=True)
    return made


def judged(targets: list[Target]) -> Table:
    made = table("Targets", "what")
    for header in ("wanted", "found", ""):
        made.add_column(header, justify="right", no_wrap=True)
    for target in targets:
        reached = "reached" if target.reached else "missed"
        made.add_row(target.what, target.wanted, target.found, reached)
    return made


def machine() -> str:
    """What it was measured on, in a sentence."""
    return (
        f"{os.cpu_count()} processors, load average {os.getloadavg()[2]:.1f} over the last 15 "
        "minutes, with what was measured itself."
    )
