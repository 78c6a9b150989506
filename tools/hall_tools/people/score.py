"""Scores what a counter said against what was true, event by event.

Here: matching, and sums per scenario. Not here: who counted. Totals would hide errors that cancel.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hall_tools.people.scenes import Passage

#: How far apart a true passage and an event of the same direction may be, in ms.
TOLERANCE_MS = 2000


@dataclass
class Score:
    """Sums over trials. `found` and `true` by direction, in and out; `net` is in minus out, as said
    minus as true."""

    trials: int = 0
    true_in: int = 0
    true_out: int = 0
    found_in: int = 0
    found_out: int = 0
    false_in: int = 0
    false_out: int = 0
    net: int = 0

    def add(self, truth: Sequence[Passage], said: Sequence[Passage]) -> None:
        """One trial. An event matches one true passage at most, and as many match as can."""
        self.trials += 1
        found: list[Passage] = []
        wrong: list[Passage] = []
        for direction in ("in", "out"):
            waiting = sorted(each for each in truth if each.direction == direction)
            for event in sorted(each for each in said if each.direction == direction):
                while waiting and waiting[0].ms < event.ms - TOLERANCE_MS:
                    del waiting[0]
                if waiting and waiting[0].ms <= event.ms + TOLERANCE_MS:
                    found.append(waiting.pop(0))
                else:
                    wrong.append(event)
        self.true_in += _ins(truth)
        self.true_out += len(truth) - _ins(truth)
        self.found_in += _ins(found)
        self.found_out += len(found) - _ins(found)
        self.false_in += _ins(wrong)
        self.false_out += len(wrong) - _ins(wrong)
        self.net += _net(said) - _net(truth)

    @property
    def true(self) -> int:
        return self.true_in + self.true_out

    @property
    def found(self) -> int:
        return self.found_in + self.found_out

    @property
    def false(self) -> int:
        return self.false_in + self.false_out

    def as_json(self) -> dict[str, float | int | None]:
        return {
            "trials": self.trials,
            "true_in": self.true_in,
            "true_out": self.true_out,
            "found_in": self.found_in,
            "found_out": self.found_out,
            "false_in": self.false_in,
            "false_out": self.false_out,
            "net": self.net,
            "recall": self.recall(),
            "precision": self.precision(),
            "false_per_100": self.false_per_100(),
            "wrong_per_100": self.wrong_per_100(),
        }

    def recall(self) -> float | None:
        """Share of the true passages that were said; None where nobody passed."""
        return self.found / self.true if self.true else None

    def precision(self) -> float | None:
        """Share of what was said that was true; None where nothing was said."""
        said = self.found + self.false
        return self.found / said if said else None

    def false_per_100(self) -> float:
        """Events that were not true, per 100 trials."""
        return 100 * self.false / self.trials if self.trials else 0.0

    def wrong_per_100(self) -> float:
        """Passages that were missed and events that were false, together, per 100 true passages;
        per 100 trials where nobody passed."""
        of = self.true or self.trials
        return 100 * (self.true - self.found + self.false) / of if of else 0.0


def _ins(events: Iterable[Passage]) -> int:
    return sum(event.direction == "in" for event in events)


def _net(events: Sequence[Passage]) -> int:
    return 2 * _ins(events) - len(events)
