"""What happened, what is on flash and what arrived, held against each other.

Here: pure comparison. Not here: where any of it comes from. Three steps, each as exact as it can
be:

1. What people did, against the journals. A deed counts when its device lived from well before it
   until well after; one near a death is in doubt, and may be there or not, but not twice.
2. The journals, against what the hall system received: every event that was ever whole on a flash
   chip, exactly once by its id. Nothing is in doubt here.
3. What the gateway committed for the hall system, against what it received: the same bytes.
"""

import bisect
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

SURE_S = 3.0
"""A device that lives so long after a deed has journalled it; an idle one needs some 30 ms."""

STARVED_S = 0.35
"""A device whose process waited for a processor for so long meanwhile may have looked away: the
fault is the machine's on which it is simulated. A body is in both beams for 0.4 s."""

AWAKE_S = 1.0
"""So long after its start a device reads its sensors."""


@dataclass
class Deed:
    """What somebody did to a device. `seen`: when the simulated world says that it took place; None
    for what was never answered. Monotonic s."""

    kind: str
    what: str | int
    begun: float = 0.0
    seen: float | None = None
    waited_s: float = 0.0
    """How long the device's process waited for a processor meanwhile."""


@dataclass
class Life:
    """When a device's program ran: from began() to ended(), over and over, monotonic s."""

    _begins: list[float] = field(default_factory=list[float])
    _ends: list[float] = field(default_factory=list[float])

    def began(self, at: float) -> None:
        self._begins.append(at)

    def ended(self, at: float) -> None:
        self._ends.append(at)

    def told(self) -> list[str]:
        """Its beginnings and ends in order, one a line."""
        moments = [(at, "began") for at in self._begins] + [(at, "ended") for at in self._ends]
        return [f"{at:.3f} {what}" for at, what in sorted(moments)]

    def through(self, since: float, until: float) -> bool:
        """Whether it ran all the time."""
        begun = bisect.bisect_right(self._begins, since)
        if not begun:
            return False
        begin = self._begins[begun - 1]
        return not any(begin <= end <= until for end in self._ends)


@dataclass
class Deeds:
    """The deeds at one device, against its journal."""

    certain: int = 0
    in_doubt: int = 0
    starved: int = 0
    lost: list[str] = field(default_factory=list[str])
    unexpected: list[str] = field(default_factory=list[str])


def compare_deeds(deeds: Sequence[Deed], life: Life, records: Sequence[str | int]) -> Deeds:
    """`records`: of each record that a deed of this kind makes, what was done, in order.

    The records are the deeds in their order, without some of those that are in doubt or starved.
    Where they are not, the fewest that explain the difference are called lost or unexpected.
    """
    lived = [
        deed.seen is not None and life.through(deed.begun - AWAKE_S, deed.seen + SURE_S)
        for deed in deeds
    ]
    sure = [alive and deed.waited_s < STARVED_S for alive, deed in zip(lived, deeds, strict=True)]
    result = Deeds(sum(sure), len(lived) - sum(lived), sum(lived) - sum(sure))
    # Edit distance: costs[i][j] of explaining records from j on by deeds from i on.
    rows, columns = len(deeds), len(records)
    costs = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows, -1, -1):
        for j in range(columns, -1, -1):
            ways: list[int] = []
            if i < rows:
                ways.append(costs[i + 1][j] + sure[i])
            if j < columns:
                ways.append(costs[i][j + 1] + 1)
            if i < rows and j < columns and deeds[i].what == records[j]:
                ways.append(costs[i + 1][j + 1])
            costs[i][j] = min(ways, default=0)
    i = j = 0
    while i < rows or j < columns:
        here = costs[i][j]
        same = i < rows and j < columns and deeds[i].what == records[j]
        if same and costs[i + 1][j + 1] == here:
            i, j = i + 1, j + 1
        elif i < rows and costs[i + 1][j] + sure[i] == here:
            if sure[i]:
                result.lost.append(f"{deeds[i].kind} {deeds[i].what}".strip())
            i += 1
        else:
            result.unexpected.append(f"record {j + 1}: {records[j]}")
            j += 1
    return result


@dataclass
class Arrivals:
    """Events by id, against what the hall system received."""

    expected: int = 0
    lost: list[str] = field(default_factory=list[str])
    doubled: list[str] = field(default_factory=list[str])
    unexpected: list[str] = field(default_factory=list[str])


def compare_arrivals(
    journalled: Iterable[str],
    committed: Mapping[str, bytes],
    silent: Set[str],
    received: Mapping[str, Sequence[bytes]],
) -> Arrivals:
    """`journalled`: ids of all events that were whole on a flash chip. `committed`: the events that
    the gateway stored for the hall system, by id. `silent`: ids of device events that the gateway
    stored and that say nothing by themselves. `received`: by id, the different bodies that came.
    """
    result = Arrivals()
    needed = dict.fromkeys(journalled)
    for id in needed:
        result.expected += 1
        if id not in received and id not in silent:
            result.lost.append(id)
    for id, body in committed.items():
        result.expected += id not in needed
        if id not in received:
            if id not in needed:
                result.lost.append(id)
        elif body not in received[id]:
            result.unexpected.append(f"{id}: another body than was stored")
    for id, bodies in received.items():
        if len(bodies) > 1:
            result.doubled.append(f"{id}: {len(bodies)} different bodies")
        if id not in committed:
            result.unexpected.append(f"{id}: never stored")
        if not id.startswith("gateway/") and id not in needed:
            result.unexpected.append(f"{id}: in no journal")
    return result


def flat(resident_mb: Sequence[float]) -> bool:
    """Whether memory does not grow: the last quarter needs at most a quarter more than the first,
    or 10 MB, for one process may have started later than the other."""
    if len(resident_mb) < 2:
        return True
    return resident_mb[-1] <= resident_mb[0] + max(10.0, resident_mb[0] / 4)
