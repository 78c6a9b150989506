"""What an event adds to the sums of its hall's days.

Here: each type's part in hall.days, by the definitions of hall_gateway.kpis; pure. Not here: the
table (migrations/), and how sums come into it (record.py).

Each event adds the same, whatever came before it or comes later, and most add to a day that they
name: a rating to that on which its service ended, a ticket's fate to that on which it was taken.
Nothing is joined, so any order of the events, and any number of workers, leads to the same sums.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any

from hall_gateway.hall_clock import DAY_MS, MINUTE_MS, HallClock
from hall_gateway.limits import Limits
from hall_gateway.wire import one_line, unix_ms

EDGES_MIN = (
    *(1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 20, 25, 30, 40, 50, 60, 75, 90, 120, 150, 180, 240),
)
"""Minutes that a duration in each bin does not exceed; the last bin has all that are longer."""

COLUMNS = (
    *("events", "mark5", "mark4", "mark3", "mark2", "mark1"),
    *("asked", "prompted", "rated", "unrated"),
    *("taken", "taken_called", "cancelled", "abandoned"),
    *("calls", "no_shows", "waits", "wait_ms", "no_show_waits", "no_show_wait_ms"),
    *("handled", "handling_ms", "overtime", "overnight"),
    *("entered", "departed", "presses", "quarantined"),
    *("faults", "lost", "offline", "raised", "cleared"),
    *(f"w{bin}" for bin in range(len(EDGES_MIN) + 1)),
    *(f"h{bin}" for bin in range(len(EDGES_MIN) + 1)),
)
"""The sums of hall.days."""

Add = tuple[int, str, int]
"""To the day (see day_number) to the sum, or to the count of this kind and name, so many. A count's
kind and name have a blank between them, and no sum's name has one."""

CLOCK = HallClock()
"""The day of all halls: from 3 o'clock to 3 o'clock at UTC+8."""

MAX_MS = 400 * DAY_MS
"""Of a duration: what is longer was told by a broken clock."""
MAX_LOST = 2**32
_FIRST_MS = 1_704_067_200_000
"""2024-01-01: nothing is counted in a day before it."""

_EDGES = [minutes * MINUTE_MS for minutes in EDGES_MIN]
_SHIFT = CLOCK.began(0)
_DAY_0 = CLOCK.date(0)

Data = dict[str, Any]


class DataError(ValueError):
    """The data of an event are not as the contract has them: what is wrong, in one line."""


def adds(type: str, data: Data, at: int, about: str, limits: Limits) -> list[Add]:
    """What an event at unix ms `at` adds to which days; `about`: its subject. Raises DataError.

    A type that adds nothing but itself, or that this program does not know, is counted.
    """
    found: list[Add] = [(day_number(at), "events", 1)]
    part = _PARTS.get(type)
    if part is not None:
        try:
            found += part(data, at, about, limits)
        except KeyError as error:
            raise DataError(f"data: {error.args[0]} is missing") from None
    return found


def day_number(at: int) -> int:
    """The hall's day of unix ms `at`, numbered from that of unix ms 0."""
    return (at - _SHIFT) // DAY_MS


def day_date(number: int) -> date:
    """The date on which the day `number` begins."""
    return _DAY_0 + timedelta(days=number)


def bin_of(ms: int) -> int:
    """In which bin a duration is."""
    return bisect_left(_EDGES, ms)


def _taken(_data: Data, at: int, _about: str, _limits: Limits) -> Iterable[Add]:
    return [(day_number(at), "taken", 1)]


def _called(data: Data, at: int, _about: str, _limits: Limits) -> Iterable[Add]:
    day = day_number(at)
    yield day, "calls", 1
    queued = _ms_or_none(data, "queued_ms")
    if queued is not None:
        yield from _wait(day, queued, 1)
        yield _day_of(at - queued, at), "taken_called", 1


def _left(fate: str) -> Callable[[Data, int, str, Limits], Iterable[Add]]:
    def part(data: Data, at: int, _about: str, _limits: Limits) -> Iterable[Add]:
        return [(_day_of(_time(data, "taken_at"), at), fate, 1)]

    return part


def _ended(data: Data, at: int, _about: str, limits: Limits) -> Iterable[Add]:
    day, served, reason = day_number(at), _ms_or_none(data, "served_ms"), data["reason"]
    if reason == "no_show":
        called = _day_of(at - _ms(data, "waited_ms") - (served or 0), at)
        yield called, "no_shows", 1
        # A gateway of before this was told says nothing; then it stays among the waits.
        queued = _ms_or_none(data, "queued_ms") if "queued_ms" in data else None
        if queued is not None:
            yield from _wait(called, queued, -1)
            yield called, "no_show_waits", 1
            yield called, "no_show_wait_ms", queued
    if served is None:
        return
    if reason != "transfer":
        yield day, "asked", 1
    if _day_of(at - served, at) != day:
        yield day, "overnight", 1
        return
    yield day, "handled", 1
    yield day, "handling_ms", served
    yield day, f"h{bin_of(served)}", 1
    business = data["business"]
    if not isinstance(business, str | None):
        raise DataError("data: business is no text")
    if served > limits.minutes(business) * MINUTE_MS:
        yield day, "overtime", 1


def _wait(day: int, queued: int, n: int) -> Iterable[Add]:
    return [(day, "waits", n), (day, "wait_ms", n * queued), (day, f"w{bin_of(queued)}", n)]


def _given(data: Data, at: int, _about: str, _limits: Limits) -> Iterable[Add]:
    mark: object = data["mark"]
    if type(mark) is not int or not 1 <= mark <= 5:
        raise DataError("data: mark is not 1 to 5")
    if data["ended_at"] is None:
        return [(day_number(at), f"mark{mark}", 1)]
    day = _day_of(_time(data, "ended_at"), at)
    return [(day, f"mark{mark}", 1), (day, "prompted", 1), (day, "rated", 1)]


def _none(data: Data, at: int, _about: str, _limits: Limits) -> Iterable[Add]:
    day = _day_of(_time(data, "ended_at"), at)
    yield day, "unrated", 1
    yield day, f"unrated {_word(data, 'reason')}", 1
    if data["prompted"] is True:
        yield day, "prompted", 1


def _pressed(_data: Data, at: int, _about: str, _limits: Limits) -> Iterable[Add]:
    return [(day_number(at), "presses", 1)]


def _quarantined(data: Data, at: int, _about: str, _limits: Limits) -> Iterable[Add]:
    """One with `pressed_at` was told as a press before, and does not count after all."""
    day = day_number(at)
    if data.get("pressed_at") is not None:
        day = _day_of(_time(data, "pressed_at"), at)
        yield day, "presses", -1
    yield day, "quarantined", 1
    yield day, f"press {_word(data, 'reason')}", 1


def _passage(data: Data, at: int, about: str, _limits: Limits) -> Iterable[Add]:
    day, way = day_number(at), data["direction"]
    if way not in ("in", "out"):
        raise DataError("data: direction is neither in nor out")
    return [(day, "entered" if way == "in" else "departed", 1), (day, f"{way} {about}", 1)]


def _fault(data: Data, at: int, _about: str, _limits: Limits) -> Iterable[Add]:
    day, code = day_number(at), _word(data, "code")
    yield day, "faults", 1
    yield day, f"fault {code}", 1
    if code in ("journal_overflow", "journal_replaced"):
        lost: object = data["lost"]
        if type(lost) is not int or not 0 <= lost <= MAX_LOST:
            raise DataError("data: lost is no number of events")
        yield day, "lost", lost


def _offline(_data: Data, at: int, _about: str, _limits: Limits) -> Iterable[Add]:
    return [(day_number(at), "offline", 1)]


def _raised(data: Data, at: int, _about: str, _limits: Limits) -> Iterable[Add]:
    """Not where it is only said again."""
    day, level = day_number(at), _word(data, "level")
    return [(day, "raised", 1), (day, f"alert {level}", 1)] if data["times"] == 1 else []


def _cleared(_data: Data, at: int, _about: str, _limits: Limits) -> Iterable[Add]:
    return [(day_number(at), "cleared", 1)]


_PARTS: dict[str, Callable[[Data, int, str, Limits], Iterable[Add]]] = {
    "hall.ticket.taken": _taken,
    "hall.ticket.called": _called,
    "hall.ticket.cancelled": _left("cancelled"),
    "hall.ticket.abandoned": _left("abandoned"),
    "hall.service.ended": _ended,
    "hall.rating.given": _given,
    "hall.rating.none": _none,
    "hall.rating.pressed": _pressed,
    "hall.rating.quarantined": _quarantined,
    "hall.count.passage": _passage,
    "hall.device.fault": _fault,
    "hall.floor.fault": _fault,
    "hall.device.offline": _offline,
    "hall.alert.raised": _raised,
    "hall.alert.cleared": _cleared,
}


def _ms(data: Data, name: str) -> int:
    value: object = data[name]
    if type(value) is not int or not 0 <= value <= MAX_MS:
        raise DataError(f"data: {name} is no duration in ms")
    return value


def _ms_or_none(data: Data, name: str) -> int | None:
    return None if data[name] is None else _ms(data, name)


def _time(data: Data, name: str) -> int:
    value: object = data[name]
    try:
        if not isinstance(value, str) or len(value) != 24 or value[-1] != "Z":
            raise ValueError
        return unix_ms(value)
    except (ValueError, OverflowError):
        raise DataError(f"data: {name} is no time") from None


def _day_of(named: int, at: int) -> int:
    """The day of unix ms `named`, which the data of an event at unix ms `at` name, or which is
    worked out from them. It lies before the event, unless a clock was set in between."""
    if not _FIRST_MS <= named <= at + MAX_MS:
        raise DataError("data: they are about a day that no event can be of")
    return day_number(named)


def _word(data: Data, name: str) -> str:
    value: object = data[name]
    if not isinstance(value, str) or not 1 <= len(value) <= 64 or not value.isprintable():
        raise DataError(f"data: {name} is no word: {one_line(str(value))}")
    return value
