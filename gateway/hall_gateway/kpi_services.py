"""The figures of one set of services: of a hall, a window, a clerk, a business or an hour.

Here: satisfaction, participation, waits, handling, limits, no-shows and how busy, and what they are
measured by. Not here: which sets there are, and what is counted beside services (kpis.py); rounding
and ranking (kpi_math.py). Pure: times are unix ms, and come in.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hall_gateway import figures_model as model
from hall_gateway.facts import FreeRating, Service, Span
from hall_gateway.figures_model import Busy, Rate, Satisfied, Spread
from hall_gateway.hall_class import CLASSES, HallClass
from hall_gateway.hall_clock import MINUTE_MS, HallClock
from hall_gateway.kpi_math import mean, nearest_rank, share, wilson
from hall_gateway.limits import Limits

GOOD, GOOD_OR_NEUTRAL = 4, 3
"""The lowest mark that is satisfied, by the strict rule and by the wide one."""


@dataclass(frozen=True)
class Rules:
    """What the figures of a hall are measured by. `areas`: zones that are rooms within the hall."""

    hall: str
    clock: HallClock = field(default_factory=HallClock)
    areas: frozenset[str] = frozenset()
    hall_class: HallClass = CLASSES["B"]
    limits: Limits = field(default_factory=Limits)

    def limit_ms(self, business: str | None) -> int:
        return self.limits.minutes(business) * MINUTE_MS


@dataclass(frozen=True)
class Period:
    """From `first` until before `last`, as far as it has come at `now`: all unix ms."""

    first: int
    last: int
    now: int

    def __contains__(self, at: int | None) -> bool:
        return at is not None and self.first <= at < self.last

    def cut(self, began: int, ended: int | None) -> tuple[int, int]:
        """What of a span lies in the period; empty when the end is not after the beginning."""
        end = min(self.last, self.now) if ended is None else min(self.last, ended)
        return max(self.first, began), end


@dataclass(frozen=True)
class Part:
    """One set of services: those that were called and those that ended in the period."""

    rules: Rules
    called: Sequence[Service]
    ended: Sequence[Service]
    free: Sequence[FreeRating] = ()

    def of(self, which: Callable[[Service], bool]) -> "Part":
        return Part(
            self.rules,
            [service for service in self.called if which(service)],
            [service for service in self.ended if which(service)],
        )

    def service(self) -> model.Service:
        waits = [s for s in self.called if s.queued is not None]
        no_shows = sum(s.reason == "no_show" for s in self.called)
        handled = [s for s in self.ended if s.served is not None]
        whole = [s for s in handled if not self._overnight(s)]
        over = sum((s.served or 0) > self.rules.limit_ms(s.business) for s in whole)
        participation = _participation(self.ended)
        marks = Counter(s.mark for s in self.ended if s.mark is not None and rated(s))
        marks.update(rating.mark for rating in self.free)
        return model.Service(
            satisfaction=satisfaction(marks, participation.ended - participation.rated),
            participation=participation,
            wait=spread(s.queued for s in waits if s.reason != "no_show"),
            no_show_wait=spread(s.queued for s in waits if s.reason == "no_show"),
            handling=spread(s.served for s in whole),
            overtime=rate(over, len(whole)),
            no_show=rate(no_shows, len(self.called)),
            overnight=len(handled) - len(whole),
        )

    def _overnight(self, service: Service) -> bool:
        clock = self.rules.clock
        if service.started is None or service.ended is None:
            return False
        return clock.began(service.started) != clock.began(service.ended)


def rated(service: Service) -> bool:
    """Whether a service has a rating that counts."""
    return service.verdict == "given"


def spread(durations: Iterable[int | None]) -> Spread:
    values = [each for each in durations if each is not None]
    return Spread(len(values), nearest_rank(values, 50), nearest_rank(values, 90), mean(values))


def satisfaction(marks: Mapping[int, int], silent: int) -> model.Satisfaction:
    """Of ratings by mark; `silent` customers were served and gave none."""
    n = sum(marks.values())
    every = {mark: marks.get(mark, 0) for mark in (5, 4, 3, 2, 1)}

    def from_mark(lowest: int) -> Satisfied:
        good = sum(count for mark, count in every.items() if mark >= lowest)
        low, high = wilson(good, n) or (None, None)
        asked = n + silent
        return Satisfied(
            good, share(good, n), low, high, share(good, asked), share(good + silent, asked)
        )

    return model.Satisfaction(n, every, from_mark(GOOD), from_mark(GOOD_OR_NEUTRAL))


def _participation(ended: Iterable[Service]) -> model.Participation:
    """A ticket that did not come, or that went on to another window, is not rated there."""
    asked = [s for s in ended if s.served is not None and s.reason != "transfer"]
    prompted = sum(s.prompted is True for s in asked)
    given = sum(rated(s) for s in asked)
    none = Counter(s.verdict for s in asked if s.verdict is not None and not rated(s))
    return model.Participation(
        ended=len(asked),
        prompted=prompted,
        rated=given,
        pending=sum(s.verdict is None for s in asked),
        prompted_share=share(prompted, len(asked)),
        rated_share=share(given, len(asked)),
        none={str(reason): none[reason] for reason in sorted(none, key=str)},
    )


def rate(part: int, whole: int) -> Rate:
    return Rate(part, whole, share(part, whole))


def busy(spans: Sequence[Span], services: Sequence[Service], period: Period) -> Busy:
    """Serving counts as far as the window was open."""
    opened: dict[str, list[tuple[int, int]]] = {}
    for span in spans:
        opened.setdefault(span.window, []).append(period.cut(span.began, span.ended))
    open_ms = sum(max(0, end - start) for each in opened.values() for start, end in each)
    for each in opened.values():
        each.sort()
    serving_ms = 0
    for service in services:
        if service.started is not None and (times := opened.get(service.window)):
            started, ended = period.cut(service.started, service.ended)
            # From the last span that began before it on: the spans of a window do not overlap.
            first = max(0, bisect_left(times, (started,)) - 1)
            for index in range(first, len(times)):
                start, end = times[index]
                if start >= ended:
                    break
                serving_ms += max(0, min(end, ended) - max(start, started))
    return Busy(open_ms, serving_ms, share(serving_ms, open_ms))
