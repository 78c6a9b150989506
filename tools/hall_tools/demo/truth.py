"""What really happened in the hall, and what became of it: lost, duplicated, unexpected.

Here: facts noted by the world, reports as the hall system received them, and their comparison one
by one. Not here: who notes a fact (stations.py, world.py), and how a report is read off the wire
(received.py).
All times are seconds of `time.monotonic()`, which the simulated devices share.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

What = tuple[str | int, ...]

CORRECTION_S = 3.0
"""A customer may correct a rating for so long after the first press; DESIGN, What a rating is."""

SLACK_S = 0.3
"""How far a device's clock and the world's may be apart."""


@dataclass(frozen=True)
class Fact:
    """Something of `kind` happened to `what` at `at`.

    A true report of it is dated between `earliest` and `latest`.
    """

    kind: str
    what: What
    at: float
    earliest: float
    latest: float


@dataclass(frozen=True)
class Report:
    """One event as the hall system received it. `happened` is the event's own time."""

    kind: str
    what: What
    id: str
    happened: float
    received: float


@dataclass
class Comparison:
    """Facts and reports, each in exactly one list. `duplicated` includes a repeated event id."""

    pairs: list[tuple[Fact, Report]] = field(default_factory=list[tuple[Fact, Report]])
    lost: list[Fact] = field(default_factory=list[Fact])
    duplicated: list[Report] = field(default_factory=list[Report])
    unexpected: list[Report] = field(default_factory=list[Report])


def compare(facts: Iterable[Fact], reports: Iterable[Report]) -> Comparison:
    """Match every fact with the one report of the same kind and subject at the right time."""
    result = Comparison()
    grouped: dict[tuple[str, What], tuple[list[Fact], list[Report]]] = defaultdict(lambda: ([], []))
    for fact in facts:
        grouped[fact.kind, fact.what][0].append(fact)
    ids: set[str] = set()
    for report in reports:
        if report.id in ids:
            result.duplicated.append(report)
        else:
            ids.add(report.id)
            grouped[report.kind, report.what][1].append(report)
    for alike, reported in grouped.values():
        _compare_alike(
            sorted(alike, key=lambda fact: fact.earliest),
            sorted(reported, key=lambda report: report.happened),
            result,
        )
    return result


def _compare_alike(facts: Sequence[Fact], reports: Sequence[Report], result: Comparison) -> None:
    """Both in order of time. A second report of a fact that has one is a duplicate."""
    matched: list[Fact] = []
    place = 0
    for report in reports:
        while place < len(facts) and facts[place].latest < report.happened:
            result.lost.append(facts[place])
            place += 1
        if place < len(facts) and _tells(report, facts[place]):
            result.pairs.append((facts[place], report))
            matched.append(facts[place])
            place += 1
        elif any(_tells(report, fact) for fact in matched):
            result.duplicated.append(report)
        else:
            result.unexpected.append(report)
    result.lost.extend(facts[place:])


def _tells(report: Report, fact: Fact) -> bool:
    return fact.earliest <= report.happened <= fact.latest and fact.earliest <= report.received


@dataclass
class Occasion:
    """The time from the end of a service on, in which its customer may rate it.

    `presses` are (contact, mark) of those that count (judge.py), `deadline` is when the keypad must
    have closed the session.
    """

    window: str
    ticket: str
    ended: float
    deadline: float
    presses: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def fact(self) -> Fact:
        """The rating: the last press that counts, or none. A silent customer is never satisfied."""
        if not self.presses:
            return _fact("rating.none", (self.window, self.ticket), self.ended, self.deadline)
        contact, mark = self.presses[-1]
        return _fact("rating.given", (self.window, self.ticket, mark), contact, self.deadline)


class Ledger:
    """Everything that the world knows to be true, as it happens."""

    def __init__(self) -> None:
        self._facts: list[Fact] = []
        self._occasions: list[Occasion] = []

    def __len__(self) -> int:
        return len(self._facts) + len(self._occasions)

    def note(
        self,
        kind: str,
        *what: str | int,
        at: float,
        within_s: float = 2.0,
        since: float | None = None,
    ) -> None:
        """Something happened at `at`; the system may take `within_s` until it dates its event.

        `since`: it may have happened already then, and was seen only at `at`.
        """
        earliest = at if since is None else since
        fact = _fact(kind, what, at, at + within_s)
        self._facts.append(replace(fact, earliest=earliest - SLACK_S))

    def occasion(self, window: str, ticket: str, at: float, window_s: float) -> Occasion:
        """A service ended at `at`: from now on there is exactly one rating or none for it."""
        occasion = Occasion(window, ticket, at, at + window_s + CORRECTION_S)
        self._occasions.append(occasion)
        return occasion

    def facts(self) -> list[Fact]:
        """All facts so far; what an occasion came to is certain only when its customer has left."""
        return [*self._facts, *(occasion.fact() for occasion in self._occasions)]


def _fact(kind: str, what: What, at: float, latest: float) -> Fact:
    return Fact(kind, what, at, at - SLACK_S, latest + SLACK_S)
