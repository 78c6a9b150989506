"""What each part of a back office has used: processors, memory, disk.

Here: reading /proc, and sums over a part's processes. Not here: which processes a part has
(fleet_stage.py), figures for an event (fleet.py).
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PARTS = ("gateways", "nats", "workers", "postgres")
"""In the order in which an event passes them."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Use:
    """CPU seconds so far, of processes that have ended too; MB of memory now, what processes share
    counted once (proc(5), smaps_rollup: Pss); what was written to the disk, in bytes."""

    cpu_s: float = 0.0
    memory_mb: float = 0.0
    written: int = 0

    def __add__(self, other: "Use") -> "Use":
        return Use(
            self.cpu_s + other.cpu_s,
            self.memory_mb + other.memory_mb,
            self.written + other.written,
        )


def use(roots: Iterable[int]) -> Use:
    """Of the processes `roots`, and of all that descend from them."""
    total = Use()
    for pid in roots:
        total += _tree(pid)
    return total


def uses(parts: Mapping[str, Iterable[int]]) -> dict[str, Use]:
    """Of each part's processes."""
    return {name: use(pids) for name, pids in parts.items()}


def _tree(pid: int) -> Use:
    """A process that ends meanwhile counts as its parent has it (proc(5): cutime, cstime)."""
    own = _one(pid)
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    for child in children:
        own += _tree(int(child))
    return own


def _one(pid: int) -> Use:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        shared = Path(f"/proc/{pid}/smaps_rollup").read_text()
        io = Path(f"/proc/{pid}/io").read_text()
    except OSError:
        return Use()
    used = sum(map(int, fields[11:15])) / _TICKS
    return Use(used, _line(shared, "Pss") / 1024, _line(io, "write_bytes"))


def _line(text: str, name: str) -> int:
    for line in text.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0
