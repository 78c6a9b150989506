"""The figures of a hall from its facts.

Here: every definition, as pure functions: no I/O, no clock. In words, with formulas and with what
each cannot say, they stand in docs/figures.md. Not here: rounding and ranking (kpi_math.py), the
shape of what comes out (figures_model.py), charts.

What belongs to a period: a ticket by when it was taken, a wait and a no-show by the call, a service
and its rating by the service's end (whenever the rating was told), a passage by when it happened.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hall_gateway import figures_model as model
from hall_gateway.facts import HALL, Facts, Passages, Service, Span
from hall_gateway.figures_model import Busiest, Spread, Suppressed
from hall_gateway.hall_class import HallClass
from hall_gateway.hall_clock import DAY_MS, HOUR_MS, MINUTE_MS, QUARTER_MS, HallClock
from hall_gateway.kpi_services import Part, Period, Rules, busy, rate, spread

STAFF_N = 20
"""Nothing is told about a clerk from fewer services, and no marks from fewer ratings."""


def compute(facts: Facts, rules: Rules, period: Period) -> model.Report:
    """The report of `period`, of which `facts` has everything."""
    called = [s for s in facts.services if s.called in period]
    ended = [s for s in facts.services if s.ended in period]
    part = Part(rules, called, ended, facts.free_ratings)
    windows = _windows(part, facts, period)
    whole = part.service()
    clock, kept = rules.clock, facts.kept_from
    return model.Report(
        hall=rules.hall,
        hall_class=rules.hall_class.name,
        from_ms=period.first,
        to_ms=period.last,
        now_ms=period.now,
        reset_hour=clock.reset_hour,
        utc_offset_min=clock.utc_offset_min,
        kept_from_ms=kept if kept is not None and kept > period.first else None,
        days_open=len(_days_open(facts, called, rules.clock, period)),
        service=whole,
        busy=busy(facts.open, facts.services, period),
        tickets=_tickets(facts),
        windows=windows,
        ranking=tuple(
            w.window for w in sorted(windows, key=lambda w: w.rank or 0) if w.rank is not None
        ),
        staff=_staff(part),
        business=_business(part),
        hours=_hours(part, facts, period),
        footfall=_footfall(facts.passages, rules),
        arrivals=_busiest(Counter(_quarter(ticket.taken) for ticket in facts.tickets)),
        inside=_busiest(Counter({i.quarter: i.peak for i in facts.inside if i.place == HALL})),
        pressed=_pressed(facts),
        targets=_targets(whole.wait, rules.hall_class),
    )


def _windows(part: Part, facts: Facts, period: Period) -> tuple[model.WindowFigures, ...]:
    names = {s.window for s in (*part.called, *part.ended)}
    names |= {r.window for r in part.free} | {span.window for span in facts.open}
    found: list[model.WindowFigures] = []
    for name in sorted(names):
        free = [rating for rating in part.free if rating.window == name]
        own = replace(part.of(lambda s, name=name: s.window == name), free=free)
        how_busy = busy(
            [span for span in facts.open if span.window == name],
            [service for service in facts.services if service.window == name],
            period,
        )
        found.append(model.WindowFigures(name, None, how_busy, own.service()))
    return _ranked(found, part.rules.hall_class.min_n)


def _ranked(windows: list[model.WindowFigures], min_n: int) -> tuple[model.WindowFigures, ...]:
    """With places by the lower bound, where there is enough to have one; equals share a place."""
    bounds: dict[str, float] = {}
    for window in windows:
        marks = window.service.satisfaction
        if isinstance(marks, model.Satisfaction) and marks.n >= min_n:
            bounds[window.window] = marks.strict.low or 0.0

    def rank(window: str) -> int | None:
        if window not in bounds:
            return None
        return 1 + sum(low > bounds[window] for low in bounds.values())

    return tuple(replace(window, rank=rank(window.window)) for window in windows)


def _staff(part: Part) -> tuple[model.StaffFigures, ...]:
    names = sorted({s.staff for s in (*part.called, *part.ended) if s.staff is not None})
    found: list[model.StaffFigures] = []
    for name in names:
        service = part.of(lambda s, name=name: s.staff == name).service()
        n = service.handling.n + service.overnight
        if n < STAFF_N:
            found.append(model.StaffFigures(name, n, Suppressed(n, STAFF_N)))
            continue
        marks = service.satisfaction
        if isinstance(marks, model.Satisfaction) and marks.n < STAFF_N:
            service = replace(service, satisfaction=Suppressed(marks.n, STAFF_N))
        found.append(model.StaffFigures(name, n, service))
    return tuple(found)


def _business(part: Part) -> tuple[model.BusinessFigures, ...]:
    names = {s.business for s in (*part.called, *part.ended)}
    return tuple(
        model.BusinessFigures(
            name,
            part.rules.limit_ms(name),
            part.of(lambda s, name=name: s.business == name).service(),
        )
        for name in sorted(names, key=lambda name: (name is None, name or ""))
    )


def _hours(part: Part, facts: Facts, period: Period) -> tuple[model.HourFigures, ...]:
    """Each hour of the clock in which anything happened."""
    clock = part.rules.clock
    taken = Counter(clock.hour(ticket.taken) for ticket in facts.tickets)
    entered, left = Counter[int](), Counter[int]()
    for passages in facts.passages:
        if _at_hall_door(passages, part.rules):
            count = entered if passages.direction == "in" else left
            count[clock.hour(passages.quarter)] += passages.passages
    opened = _open_by_hour(facts.open, clock, period)
    days = len(_days_open(facts, part.called, clock, period))
    called = {clock.hour(s.called) for s in part.called}
    ended = {clock.hour(s.ended) for s in part.ended if s.ended is not None}
    found: list[model.HourFigures] = []
    for hour in sorted({*taken, *entered, *left, *opened, *called, *ended}):
        own = Part(
            part.rules,
            [s for s in part.called if clock.hour(s.called) == hour],
            [s for s in part.ended if s.ended is not None and clock.hour(s.ended) == hour],
            [r for r in part.free if clock.hour(r.at) == hour],
        )
        found.append(
            model.HourFigures(
                hour,
                taken[hour],
                entered[hour],
                left[hour],
                _hundredths(opened[hour], days * HOUR_MS),
                own.service(),
            )
        )
    return tuple(found)


def _open_by_hour(spans: Iterable[Span], clock: HallClock, period: Period) -> Counter[int]:
    """How many ms of each hour of the clock windows were open, of all windows and days."""
    found = Counter[int]()
    shift = clock.utc_offset_min * MINUTE_MS
    for span in spans:
        start, end = period.cut(span.began, span.ended)
        while start < end:
            turn = (start + shift) // HOUR_MS * HOUR_MS + HOUR_MS - shift
            found[clock.hour(start)] += min(end, turn) - start
            start = min(end, turn)
    return found


def _hundredths(part: int, whole: int) -> float | None:
    """`part` ÷ `whole`, rounded half up to two decimals."""
    return (200 * part + whole) // (2 * whole) / 100 if whole else None


def _days_open(
    facts: Facts, called: Iterable[Service], clock: HallClock, period: Period
) -> set[int]:
    days = {clock.began(ticket.taken) for ticket in facts.tickets}
    days |= {clock.began(service.called) for service in called}
    for span in facts.open:
        start, end = period.cut(span.began, span.ended)
        if start < end:
            days |= set(range(clock.began(start), end, DAY_MS))
    return days


def _tickets(facts: Facts) -> model.Tickets:
    fates = Counter(ticket.fate for ticket in facts.tickets)
    gone = [t for t in facts.tickets if t.fate == "cancelled"]
    return model.Tickets(
        taken=len(facts.tickets),
        called=fates["called"],
        cancelled=fates["cancelled"],
        abandoned=fates["abandoned"],
        waiting=fates[None],
        walk_away=rate(fates["cancelled"] + fates["abandoned"], len(facts.tickets)),
        walk_away_wait=spread((t.left or t.taken) - t.taken for t in gone),
    )


def _at_hall_door(passages: Passages, rules: Rules) -> bool:
    return passages.place.removeprefix("zone/") not in rules.areas


def _footfall(passages: Sequence[Passages], rules: Rules) -> model.Footfall:
    doors = [each for each in passages if _at_hall_door(each, rules)]
    shift = rules.clock.utc_offset_min * MINUTE_MS
    sums: dict[str, Counter[int]] = {"in": Counter(), "out": Counter()}
    minutes: dict[str, Counter[int]] = {"in": Counter(), "out": Counter()}
    for each in doors:
        sums[each.direction][each.quarter] += each.passages
        minute = (each.quarter + shift) % DAY_MS // MINUTE_MS
        minutes[each.direction][minute] += each.passages
    areas = Counter[str]()
    for each in passages:
        if each.direction == "in" and not _at_hall_door(each, rules):
            areas[each.place] += each.passages
    entered, left = minutes["in"], minutes["out"]
    return model.Footfall(
        sums["in"].total(),
        sums["out"].total(),
        _busiest(sums["in"]),
        tuple(model.Quarter(m, entered[m], left[m]) for m in sorted({*entered, *left})),
        {place: areas[place] for place in sorted(areas)},
    )


def _quarter(at: int) -> int:
    return at // QUARTER_MS * QUARTER_MS


def _busiest(quarters: Mapping[int, int]) -> Busiest | None:
    """The earliest of those with the most."""
    if not quarters:
        return None
    most = max(quarters.values())
    return Busiest(min(at for at, count in quarters.items() if count == most), most)


def _pressed(facts: Facts) -> model.Pressed:
    reasons = Counter[str]()
    for each in facts.presses:
        reasons[each.reason] += each.presses
    counted = reasons.pop("", 0)
    quarantined = {reason: reasons[reason] for reason in sorted(reasons)}
    return model.Pressed(counted + sum(quarantined.values()), counted, quarantined)


def _targets(wait: Spread, hall_class: HallClass) -> tuple[model.Target, ...]:
    return (
        _target("wait_mean", hall_class.wait_mean_min, wait.mean_ms),
        _target("wait_p90", hall_class.wait_p90_min, wait.p90_ms),
    )


def _target(name: model.TargetName, limit_min: int, value_ms: int | None) -> model.Target:
    limit_ms = limit_min * MINUTE_MS
    return model.Target(
        name, limit_ms, value_ms, None if value_ms is None else value_ms <= limit_ms
    )
