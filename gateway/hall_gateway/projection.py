"""From CloudEvents to facts: what is reported of a hall follows what the hall system is told.

Here: which fact each type of CloudEvent is, written in the transaction that publishes it. Not here:
SQL (store_figures.py), and what facts add up to (kpis.py). Nothing is used but what the CloudEvent
says, so whoever receives them all can check every figure.

An event of a device that was cut off finds its place by its own time: a late passage is in the
quarter of an hour in which it happened, a late rating at the service that it is of.
"""

from collections import Counter
from collections.abc import Callable

from hall_gateway.effects import Published
from hall_gateway.facts import Service
from hall_gateway.hall_clock import DAY_MS, HOUR_MS, QUARTER_MS
from hall_gateway.state import Json
from hall_gateway.store_figures import KEEP_MS, Figures
from hall_gateway.wire import unix_ms


class Projection:
    """A follower of what is published (Effects.followers), into `figures`.

    `counts["misdated"]`: events of a clock that was more than a day ahead, or from before anything
    that is kept; they are in no report.
    """

    def __init__(self, figures: Figures, counts: Counter[str]) -> None:
        self._figures = figures
        self._counts = counts
        self._facts: dict[str, Callable[[Published, Json], None]] = {
            "hall.ticket.taken": self._taken,
            "hall.ticket.called": self._called,
            "hall.ticket.cancelled": self._left,
            "hall.ticket.abandoned": self._left,
            "hall.service.started": self._started,
            "hall.service.ended": self._ended,
            "hall.rating.given": self._given,
            "hall.rating.none": self._none,
            "hall.rating.reason": self._reason,
            "hall.rating.pressed": self._pressed,
            "hall.rating.quarantined": self._quarantined,
            "hall.count.passage": self._passage,
            "hall.count.occupancy": self._occupancy,
            "hall.window.opened": self._opened,
            "hall.window.closed": self._closed,
            "hall.window.paused": self._paused,
            "hall.window.resumed": self._resumed,
        }

    def __call__(self, published: Published, now: int) -> None:
        fact = self._facts.get(published.emit.type)
        if fact is None:
            return
        if not now - KEEP_MS <= published.time <= now + DAY_MS:
            self._counts["misdated"] += 1
            return
        fact(published, published.emit.data)

    def _taken(self, event: Published, data: Json) -> None:
        self._figures.taken(data["ticket"], data["business"], data["priority"], event.time)

    def _left(self, event: Published, data: Json) -> None:
        fate = event.emit.type.rsplit(".", 1)[1]
        self._figures.left(data["ticket"], fate, data["queued_ms"])

    def _called(self, event: Published, data: Json) -> None:
        if data["queued_ms"] is not None:
            self._figures.left(data["ticket"], "called", data["queued_ms"])
        self._figures.called(_service(data, event.time, data["queued_ms"], data["transferred"]))

    def _started(self, event: Published, data: Json) -> None:
        """One whose call was published before there were facts is known from its start on."""
        known = (data["window"], data["ticket"], data["staff"], event.time)
        if not self._figures.started(*known):
            self._figures.called(_service(data, event.time - data["waited_ms"]))
            self._figures.started(*known)

    def _ended(self, event: Published, data: Json) -> None:
        served = data["served_ms"]
        who = (data["window"], data["ticket"], data["staff"], data["business"])
        known = (*who, served, data["reason"], event.time)
        if not self._figures.ended(*known):
            called = event.time - data["waited_ms"] - (served or 0)
            self._figures.called(_service(data, called))
            if served is not None:
                self._figures.started(*who[:3], event.time - served)
            self._figures.ended(*known)

    def _given(self, event: Published, data: Json) -> None:
        window, mark = data["window"], data["mark"]
        if data["ended_at"] is None:
            self._figures.rated_freely(event.time, window, data["staff"], mark)
        else:
            ended = unix_ms(data["ended_at"])
            who = (window, data["ticket"], ended)
            self._figures.verdict(*who, "given", True, mark, data["presses"])

    def _none(self, event: Published, data: Json) -> None:
        ended = unix_ms(data["ended_at"])
        who = (data["window"], data["ticket"], ended)
        self._figures.verdict(*who, data["reason"], data["prompted"], None, None)

    def _reason(self, event: Published, data: Json) -> None:
        if data["ended_at"] is not None:
            who = (data["window"], data["ticket"], unix_ms(data["ended_at"]))
            self._figures.why(*who, data["reason"])

    def _pressed(self, event: Published, data: Json) -> None:
        self._figures.pressed(_hour(event.time), data["window"], "")

    def _quarantined(self, event: Published, data: Json) -> None:
        """One with `pressed_at` was told as a press before, and does not count after all."""
        at = data.get("pressed_at")
        hour, window = _hour(event.time if at is None else unix_ms(at)), data["window"] or ""
        if at is not None:
            self._figures.pressed(hour, window, "", by=-1)
        self._figures.pressed(hour, window, data["reason"])

    def _passage(self, event: Published, data: Json) -> None:
        self._figures.passed(_quarter(event.time), event.emit.subject, data["direction"])

    def _occupancy(self, event: Published, data: Json) -> None:
        self._figures.inside(_quarter(event.time), event.emit.subject, data["inside"])

    def _opened(self, event: Published, data: Json) -> None:
        """By whoever takes over, too."""
        window = data["window"]
        self._figures.ends(window, "open", event.time)
        if not self._figures.is_now(window, "paused"):
            self._figures.begins(window, "open", data["staff"], event.time)

    def _closed(self, event: Published, data: Json) -> None:
        self._figures.ends(data["window"], "open", unix_ms(data["until"]))

    def _paused(self, event: Published, data: Json) -> None:
        window = data["window"]
        self._figures.ends(window, "open", event.time)
        self._figures.begins(window, "paused", data["staff"], event.time)

    def _resumed(self, event: Published, data: Json) -> None:
        window = data["window"]
        self._figures.ends(window, "paused", event.time)
        if data["staff"] is not None and not self._figures.is_now(window, "open"):
            self._figures.begins(window, "open", data["staff"], event.time)


def _service(
    data: Json, called: int, queued: int | None = None, transferred: bool = False
) -> Service:
    """One that was just called."""
    return Service(
        ticket=data["ticket"],
        window=data["window"],
        staff=data["staff"],
        business=data["business"],
        queued=queued,
        transferred=transferred,
        called=called,
        started=None,
        ended=None,
        served=None,
        reason=None,
        verdict=None,
        prompted=None,
        mark=None,
        presses=None,
        why=None,
    )


def _hour(at: int) -> int:
    return at // HOUR_MS * HOUR_MS


def _quarter(at: int) -> int:
    return at // QUARTER_MS * QUARTER_MS
