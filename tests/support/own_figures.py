"""A hall's figures, computed a second time: from nothing but the CloudEvents that its system got.

Written from docs/figures.md. Nothing of the gateway is imported here, and the way is another one:
the events are read as a story, times are subtracted, shares are fractions, roots are decimals.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

Json = dict[str, Any]

QUARTER, HOUR, DAY = 900_000, 3_600_000, 86_400_000
OFFSET = 8 * HOUR
"""The hall's clock is that far ahead of UTC; its day begins at 3."""
STAFF = 20


def ms(text: str) -> int:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def hall_day(at: int) -> int:
    return (at + OFFSET - 3 * HOUR) // DAY


def clock_hour(at: int) -> int:
    return (at + OFFSET) // HOUR % 24


class Story:
    """What happened, told from first to last; an event that comes again changes nothing."""

    def __init__(self, events: list[Json]) -> None:
        self.tickets: list[Json] = []
        self.visits: list[Json] = []
        self._visits: dict[tuple[str, str], list[Json]] = defaultdict(list)
        self.free: list[Json] = []
        self.presses: dict[str, Json] = {}
        self.passages: list[tuple[int, str, str]] = []
        self.inside: list[tuple[int, str, int]] = []
        self.windows: dict[str, list[tuple[int, str, Json]]] = defaultdict(list)
        seen: set[str] = set()
        for event in events:
            if event["id"] not in seen:
                seen.add(event["id"])
                noun, verb = event["type"].split(".")[1:]
                self._hear(noun, verb, ms(event["time"]), event)

    def _hear(self, noun: str, verb: str, at: int, event: Json) -> None:
        data = event["data"]
        match noun, verb:
            case "ticket", "taken":
                self.tickets.append(data | {"taken": at, "fate": None, "left": None})
            case "ticket", "called":
                ticket = self._leaves(data["ticket"], "called", at)
                taken = None if data["transferred"] or ticket is None else ticket["taken"]
                visit = data | {"called": at, "taken": taken}
                self.visits.append(visit)
                self._visits[data["window"], data["ticket"]].append(visit)
            case "ticket", _:
                self._leaves(data["ticket"], verb, at)
            case "service", "started":
                self._visit(data).update(started=at, staff=data["staff"])
            case "service", "ended":
                self._visit(data).update(
                    ended=at,
                    reason=data["reason"],
                    staff=data["staff"],
                    business=data["business"],
                    serving="started" in self._visit(data),
                )
            case "rating", ("given" | "none"):
                self._verdict(verb, at, data)
            case "rating", "pressed":
                self.presses[data["press"]] = {"at": at, "reason": None}
            case "rating", "quarantined":
                before = self.presses.get(data["press"], {"at": at})
                self.presses[data["press"]] = before | {"reason": data["reason"]}
            case "count", "passage":
                self.passages.append((at, event["subject"], data["direction"]))
            case "count", "occupancy":
                self.inside.append((at, event["subject"], data["inside"]))
            case "window", _:
                self.windows[data["window"]].append((at, verb, data))
            case _:
                pass

    def _leaves(self, id: str, fate: str, at: int) -> Json | None:
        for ticket in reversed(self.tickets):
            if ticket["ticket"] == id and ticket["fate"] is None:
                ticket.update(fate=fate, left=at)
                return ticket
        return None

    def _visit(self, data: Json) -> Json:
        """The last call of this ticket to this window."""
        return self._visits[data["window"], data["ticket"]][-1]

    def _verdict(self, verb: str, at: int, data: Json) -> None:
        if data["ended_at"] is None:
            self.free.append(data | {"at": at})
            return
        ended = ms(data["ended_at"])
        for visit in self._visits[data["window"], data["ticket"]]:
            if visit.get("ended") == ended:
                visit["verdict"] = verb if verb == "given" else data["reason"]
                visit["prompted"] = data.get("prompted", True)
                visit["mark"] = data.get("mark")

    def open_times(self, window: str, until: int) -> list[tuple[int, int]]:
        """When a clerk was there and it was not paused; a night ends it when it was last used."""
        found: list[tuple[int, int]] = []
        clerk, paused, since = False, False, None
        for at, verb, data in self.windows[window]:
            end = ms(data["until"]) if verb == "closed" else at
            if since is not None:
                found.append((since, end))
            clerk = verb != "closed" if verb in ("opened", "closed") else clerk
            paused = verb == "paused" if verb in ("paused", "resumed") else paused
            since = at if clerk and not paused else None
        if since is not None:
            found.append((since, until))
        return found


def report(
    story: Story, first: int, last: int, now: int, limits: dict[str, int], min_n: int
) -> Json:
    """In the shape in which the gateway tells it."""

    def within(at: int | None) -> bool:
        return at is not None and first <= at < last

    called = [v for v in story.visits if within(v["called"])]
    ended = [v for v in story.visits if within(v.get("ended"))]
    free = [f for f in story.free if within(f["at"])]
    tickets = [t for t in story.tickets if within(t["taken"])]
    names = set(story.windows) | {v["window"] for v in called + ended} | {f["window"] for f in free}
    times = {
        w: [(max(a, first), min(b, last)) for a, b in story.open_times(w, min(last, now))]
        for w in names
    }
    times = {w: [(a, b) for a, b in spans if a < b] for w, spans in times.items()}
    names = {w for w in names if times[w]} | {v["window"] for v in called + ended}
    names |= {f["window"] for f in free}
    visits = [v for v in story.visits if within(v["called"]) or within(v.get("ended"))]

    def figures(which: Any, free: list[Json] | None = None) -> Json:
        return services(
            [v for v in called if which(v)], [v for v in ended if which(v)], free or [], limits
        )

    def busy(window: str | None) -> Json:
        spans = [(w, a, b) for w, each in times.items() for a, b in each if window in (None, w)]
        serving = 0
        for v in visits:
            if "started" in v and window in (None, v["window"]):
                end = v.get("ended", min(last, now))
                serving += sum(
                    max(0, min(b, end) - max(a, v["started"]))
                    for w, a, b in spans
                    if w == v["window"]
                )
        opened = sum(b - a for _, a, b in spans)
        return {"open_ms": opened, "serving_ms": serving, "share": of(serving, opened)}

    windows = [
        {
            "window": w,
            "rank": None,
            "busy": busy(w),
            "service": figures(
                lambda v, w=w: v["window"] == w, [f for f in free if f["window"] == w]
            ),
        }
        for w in sorted(names)
    ]
    enough = [w for w in windows if w["service"]["satisfaction"]["n"] >= min_n]
    lows = sorted((w["service"]["satisfaction"]["strict"]["low"] for w in enough), reverse=True)
    for w in enough:
        w["rank"] = lows.index(w["service"]["satisfaction"]["strict"]["low"]) + 1
    days = {hall_day(t["taken"]) for t in tickets} | {hall_day(v["called"]) for v in called}
    for spans in times.values():
        for a, b in spans:
            days |= set(range(hall_day(a), hall_day(b - 1) + 1))
    # Passages are kept by the quarter of an hour, and presses by the hour, in which they happened.
    doors = [(at, where, way) for at, where, way in story.passages if within(at - at % QUARTER)]
    whole = figures(lambda v: True, free)
    hall_inside: dict[int, int] = {}
    for at, where, n in story.inside:
        quarter = at - at % QUARTER
        if within(quarter) and where == "hall":
            hall_inside[quarter] = max(n, hall_inside.get(quarter, 0))
    presses = [p for p in story.presses.values() if within(p["at"] - p["at"] % HOUR)]
    reasons = Counter(p["reason"] for p in presses)
    gone = [t["left"] - t["taken"] for t in tickets if t["fate"] == "cancelled"]
    fates = Counter(t["fate"] for t in tickets)
    away = fates["cancelled"] + fates["abandoned"]
    return {
        "hall": "demo",
        "from_ms": first,
        "to_ms": last,
        "now_ms": now,
        "reset_hour": 3,
        "utc_offset_min": 480,
        "kept_from_ms": None,
        "days_open": len(days),
        "service": whole,
        "busy": busy(None),
        "tickets": {
            "taken": len(tickets),
            "called": fates["called"],
            "cancelled": fates["cancelled"],
            "abandoned": fates["abandoned"],
            "waiting": fates[None],
            "walk_away": {"part": away, "whole": len(tickets), "share": of(away, len(tickets))},
            "walk_away_wait": spread(gone),
        },
        "windows": windows,
        "ranking": [w["window"] for w in sorted(enough, key=lambda w: w["rank"])],
        "staff": staff(called, ended, figures),
        "business": [
            {
                "business": name,
                "limit_ms": limits.get(name or "", 20) * 60_000,
                "service": figures(lambda v, name=name: v["business"] == name),
            }
            for name in sorted({v["business"] for v in called + ended}, key=lambda n: n or "\uffff")
        ],
        "hours": hours(tickets, doors, called, ended, free, times, len(days), limits),
        "footfall": footfall(doors),
        "arrivals": busiest([t["taken"] for t in tickets]),
        "inside": most(hall_inside),
        "pressed": {
            "raw": len(presses),
            "counted": reasons.pop(None, 0),
            "quarantined": dict(sorted(reasons.items())),
        },
    }


def services(called: list[Json], ended: list[Json], free: list[Json], limits: Any) -> Json:
    waits = [v for v in called if v["taken"] is not None]
    missed = [v for v in waits if v.get("reason") == "no_show"]
    came = [v for v in waits if v.get("reason") != "no_show"]
    served = [v for v in ended if v["serving"]]
    whole = [v for v in served if hall_day(v["started"]) == hall_day(v["ended"])]
    durations = [v["ended"] - v["started"] for v in whole]
    over = sum(
        v["ended"] - v["started"] > limits.get(v["business"] or "", 20) * 60_000 for v in whole
    )
    absent = sum(v.get("reason") == "no_show" for v in called)
    asked = [v for v in served if v["reason"] != "transfer"]
    given = [v for v in asked if v.get("verdict") == "given"]
    none = Counter(v["verdict"] for v in asked if v.get("verdict") not in (None, "given"))
    prompted = sum(v.get("prompted", False) for v in asked)
    marks = Counter([v["mark"] for v in given] + [f["mark"] for f in free])
    n, silent = sum(marks.values()), len(asked) - len(given)
    return {
        "satisfaction": {
            "n": n,
            "marks": {mark: marks[mark] for mark in (5, 4, 3, 2, 1)},
            "strict": satisfied(marks[5] + marks[4], n, silent),
            "wide": satisfied(marks[5] + marks[4] + marks[3], n, silent),
        },
        "participation": {
            "ended": len(asked),
            "prompted": prompted,
            "rated": len(given),
            "pending": sum("verdict" not in v for v in asked),
            "prompted_share": of(prompted, len(asked)),
            "rated_share": of(len(given), len(asked)),
            "none": dict(sorted(none.items())),
        },
        "wait": spread([v["called"] - v["taken"] for v in came]),
        "no_show_wait": spread([v["called"] - v["taken"] for v in missed]),
        "handling": spread(durations),
        "overtime": {"part": over, "whole": len(whole), "share": of(over, len(whole))},
        "no_show": {"part": absent, "whole": len(called), "share": of(absent, len(called))},
        "overnight": len(served) - len(whole),
    }


def satisfied(good: int, n: int, silent: int) -> Json:
    low, high = interval(good, n)
    return {
        "good": good,
        "share": of(good, n),
        "low": low,
        "high": high,
        "worst": of(good, n + silent),
        "best": of(good + silent, n + silent),
    }


def staff(called: list[Json], ended: list[Json], figures: Any) -> list[Json]:
    found: list[Json] = []
    for name in sorted({v["staff"] for v in called + ended} - {None}):
        n = sum(v["serving"] for v in ended if v["staff"] == name)
        service = figures(lambda v, name=name: v["staff"] == name)
        if n < STAFF:
            service = {"n": n, "needed": STAFF}
        elif (rated := service["satisfaction"]["n"]) < STAFF:
            service["satisfaction"] = {"n": rated, "needed": STAFF}
        found.append({"staff": name, "services": n, "service": service})
    return found


def hours(
    tickets: list[Json],
    doors: list[tuple[int, str, str]],
    called: list[Json],
    ended: list[Json],
    free: list[Json],
    times: dict[str, list[tuple[int, int]]],
    days: int,
    limits: Any,
) -> list[Json]:
    found: list[Json] = []
    passed = [(clock_hour(at), way) for at, where, way in doors if where != "zone/vip"]
    for hour in range(24):
        opened = sum(overlap(a, b, hour) for spans in times.values() for a, b in spans)
        begun = [v for v in called if clock_hour(v["called"]) == hour]
        over = [v for v in ended if clock_hour(v["ended"]) == hour]
        taken = sum(clock_hour(t["taken"]) == hour for t in tickets)
        ways = Counter(way for at, way in passed if at == hour)
        if not (opened or begun or over or taken or ways):
            continue
        rated = [f for f in free if clock_hour(f["at"]) == hour]
        found.append(
            {
                "hour": hour,
                "taken": taken,
                "entered": ways["in"],
                "left": ways["out"],
                "open_windows": rounded(Fraction(opened, days * HOUR), 2) if days else None,
                "service": services(begun, over, rated, limits),
            }
        )
    return found


def overlap(start: int, end: int, hour: int) -> int:
    """How much of a span lies in that hour of the clock, on whichever day."""
    total = 0
    midnight = (start + OFFSET) // DAY * DAY - OFFSET
    while midnight < end:
        begin = midnight + hour * HOUR
        total += max(0, min(end, begin + HOUR) - max(start, begin))
        midnight += DAY
    return total


def footfall(doors: list[tuple[int, str, str]]) -> Json:
    hall = [(at, way) for at, where, way in doors if where != "zone/vip"]
    minutes: dict[int, Counter[str]] = defaultdict(Counter)
    for at, way in hall:
        minutes[(at + OFFSET) % DAY // QUARTER * 15][way] += 1
    areas = Counter(where for _, where, way in doors if where == "zone/vip" and way == "in")
    return {
        "entered": sum(way == "in" for _, way in hall),
        "left": sum(way == "out" for _, way in hall),
        "busiest": busiest([at for at, way in hall if way == "in"]),
        "quarters": [
            {"minute": m, "entered": minutes[m]["in"], "left": minutes[m]["out"]}
            for m in sorted(minutes)
        ],
        "areas": dict(areas),
    }


def busiest(times: list[int]) -> Json | None:
    return most(Counter(at - at % QUARTER for at in times))


def most(quarters: dict[int, int]) -> Json | None:
    for at in sorted(quarters):
        if quarters[at] == max(quarters.values()):
            return {"at": at, "count": quarters[at]}
    return None


def spread(durations: list[int]) -> Json:
    ordered = sorted(durations)

    def ranked(percent: int) -> int | None:
        for value in ordered:
            if Fraction(bisect_left(ordered, value + 1), len(ordered)) * 100 >= percent:
                return value
        return None

    mean = Fraction(sum(ordered), len(ordered)) if ordered else None
    return {
        "n": len(ordered),
        "median_ms": ranked(50),
        "p90_ms": ranked(90),
        "mean_ms": None if mean is None else int(rounded(mean, 0)),
    }


def of(part: int, whole: int) -> float | None:
    return rounded(Fraction(part, whole), 4) if whole else None


def rounded(exact: Fraction, digits: int) -> float:
    with localcontext() as context:
        context.prec = 60
        value = Decimal(exact.numerator) / Decimal(exact.denominator)
        return float(value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def interval(good: int, n: int) -> tuple[float | None, float | None]:
    """The roots of (p − good/n)² = z² p (1 − p) / n, which is where Wilson's bounds come from."""
    if not n:
        return None, None
    with localcontext() as context:
        context.prec = 40
        z2 = Decimal("1.959963984540054") ** 2
        a, b, c = n + z2, -(2 * good + z2), Decimal(good) ** 2 / n
        root = (b * b - 4 * a * c).sqrt()
        bounds = ((-b - root) / (2 * a), (-b + root) / (2 * a))
        low, high = (float(round(bound, 4)) for bound in bounds)
        return abs(low), high
