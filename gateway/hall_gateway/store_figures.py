"""The store's facts: what reports are made of, kept for more than a year.

Here: SQL over the tables fact_*, and what is forgotten of them. Not here: which CloudEvent is which
fact (projection.py), what facts add up to (kpis.py).

Facts go by whole days of the hall, the oldest first: after KEEP_MS, when they take more than their
share of the store, and before the store would refuse an event for want of room.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

from hall_gateway.facts import (
    Facts,
    FreeRating,
    Inside,
    Passages,
    Presses,
    Service,
    Span,
    TakenTicket,
)
from hall_gateway.hall_clock import DAY_MS, HallClock
from hall_gateway.store_events import Table

KEEP_MS = 400 * DAY_MS
"""How long facts are kept: a year, and the same month of the year before it."""

SHARE = 0.25
"""Of the store's limit that facts may take."""

_TIMES = {
    "fact_services": "called",
    "fact_tickets": "taken",
    "fact_spans": "began",
    "fact_free_ratings": "at",
    "fact_presses": "hour",
    "fact_passages": "quarter",
    "fact_occupancy": "quarter",
}
"""Each table's time, by which its rows go; the column has an index or leads the key."""

_ROW_BYTES = {"fact_services": 140, "fact_tickets": 80, "fact_spans": 60}
"""What a row takes with its indexes, measured with Chinese names; of the others 40."""

_SERVICE = (
    "ticket, window, staff, business, queued, transferred, called, started, ended, served, reason, "
    "verdict, prompted, mark, presses, why"
)

Kind = Literal["open", "paused"]


class Figures(Table):
    """Facts in and out. Times are unix ms, durations ms.

    Passages come by the hundred, so they are added up and written together: by settle(), before
    anything else is done with the store than to add to it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._passed: Counter[tuple[int, str, str]] = Counter()

    def settle(self) -> None:
        """Write the passages that were added up."""
        if self._passed:
            self._db.executemany(
                "INSERT INTO fact_passages VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET passages = passages + excluded.passages",
                [(*key, passages) for key, passages in self._passed.items()],
            )
            self._passed.clear()

    def taken_back(self) -> None:
        """What was done since settle() was."""
        self._passed.clear()

    # In: each fact as it is told.

    def taken(self, ticket: str, business: str | None, priority: int, at: int) -> None:
        self.run(
            "INSERT INTO fact_tickets VALUES (NULL, ?, ?, ?, ?, NULL, NULL)",
            (ticket, business, priority, at),
        )

    def left(self, ticket: str, fate: str, queued: int) -> None:
        """A ticket waits no more, after `queued` ms, whatever the clock was set to meanwhile."""
        self.run(
            "UPDATE fact_tickets SET left = taken + ?, fate = ? WHERE ticket = ? AND fate IS NULL",
            (queued, fate, ticket),
        )

    def called(self, service: Service) -> None:
        """A ticket is called to a window, or that it was is only known from what came of it."""
        s = service
        self.run(
            f"INSERT INTO fact_services ({_SERVICE}) VALUES (?{', ?' * 15})",
            (
                *(s.ticket, s.window, s.staff, s.business, s.queued, s.transferred, s.called),
                *(s.started, s.ended, s.served, s.reason, s.verdict, s.prompted, s.mark),
                *(s.presses, s.why),
            ),
        )

    def started(self, window: str, ticket: str, staff: str | None, at: int) -> bool:
        """False when no call of it is known."""
        done = self.run(
            "UPDATE fact_services SET started = ?, staff = ? "
            "WHERE window = ? AND ticket = ? AND ended IS NULL",
            (at, staff, window, ticket),
        )
        return done.rowcount > 0

    def ended(
        self,
        window: str,
        ticket: str,
        staff: str | None,
        business: str | None,
        served: int | None,
        reason: str,
        at: int,
    ) -> bool:
        """False when no call of it is known."""
        done = self.run(
            "UPDATE fact_services SET ended = ?, served = ?, reason = ?, staff = ?, business = ? "
            "WHERE window = ? AND ticket = ? AND ended IS NULL",
            (at, served, reason, staff, business, window, ticket),
        )
        return done.rowcount > 0

    def verdict(
        self,
        window: str,
        ticket: str,
        ended: int,
        verdict: str,
        prompted: bool,
        mark: int | None,
        presses: int | None,
    ) -> None:
        """The rating of the service that ended at `window` at `ended`, however late it is told."""
        self.run(
            "UPDATE fact_services SET verdict = ?, prompted = ?, mark = ?, presses = ? "
            "WHERE ended = ? AND window = ? AND ticket = ?",
            (verdict, prompted, mark, presses, ended, window, ticket),
        )

    def why(self, window: str, ticket: str, ended: int, why: str) -> None:
        """Why its mark was a bad one."""
        self.run(
            "UPDATE fact_services SET why = ? WHERE ended = ? AND window = ? AND ticket = ?",
            (why, ended, window, ticket),
        )

    def rated_freely(self, at: int, window: str, staff: str | None, mark: int) -> None:
        self.run(
            "INSERT INTO fact_free_ratings VALUES (NULL, ?, ?, ?, ?)", (at, window, staff, mark)
        )

    def pressed(self, hour: int, window: str, reason: str, by: int = 1) -> None:
        """One press more, or with `by` -1 one less: it does not count after all."""
        self.run(
            "INSERT INTO fact_presses VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET presses = presses + excluded.presses",
            (hour, window, reason, by),
        )

    def passed(self, quarter: int, place: str, direction: str) -> None:
        self._passed[quarter, place, direction] += 1

    def inside(self, quarter: int, place: str, inside: int) -> None:
        self.run(
            "INSERT INTO fact_occupancy VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET peak = max(peak, excluded.peak)",
            (quarter, place, inside),
        )

    def begins(self, window: str, kind: Kind, staff: str | None, at: int) -> None:
        self.run(
            "INSERT INTO fact_spans VALUES (NULL, ?, ?, ?, ?, NULL)", (window, kind, staff, at)
        )

    def ends(self, window: str, kind: Kind, at: int) -> None:
        """A clock that was set back makes no span negative."""
        self.run(
            "UPDATE fact_spans SET ended = max(began, ?) "
            "WHERE window = ? AND kind = ? AND ended IS NULL",
            (at, window, kind),
        )

    def is_now(self, window: str, kind: Kind) -> bool:
        found = self.maybe(
            "SELECT 1 FROM fact_spans WHERE window = ? AND kind = ? AND ended IS NULL", window, kind
        )
        return found is not None

    # Out.

    def between(self, first: int, last: int) -> Facts:
        """What belongs to the period from `first` until before `last`: tickets by when they were
        taken, services by their call or end, spans as far as they overlap it."""
        self.settle()
        period = (first, last)
        services = self.run(
            f"SELECT {_SERVICE} FROM fact_services WHERE called >= ? AND called < ? "
            "OR ended >= ? AND ended < ? ORDER BY arrival",
            (*period, *period),
        )
        spans = self.run(
            "SELECT window, staff, began, ended FROM fact_spans WHERE kind = 'open' "
            "AND began < ? AND coalesce(ended > ?, 1) ORDER BY arrival",
            (last, first),
        )
        return Facts(
            tuple(
                TakenTicket(*row)
                for row in self._rows(
                    "fact_tickets", "ticket, business, priority, taken, left, fate", period
                )
            ),
            tuple(_service(row) for row in services),
            tuple(
                FreeRating(*row)
                for row in self._rows("fact_free_ratings", "at, window, staff, mark", period)
            ),
            tuple(Presses(*row) for row in self._rows("fact_presses", "*", period)),
            tuple(Passages(*row) for row in self._rows("fact_passages", "*", period)),
            tuple(Inside(*row) for row in self._rows("fact_occupancy", "*", period)),
            tuple(Span(*row) for row in spans),
            self.maybe("SELECT value FROM meta WHERE key = 'facts_from'"),
        )

    def _rows(self, table: str, columns: str, period: tuple[int, int]) -> Iterable[Any]:
        time = _TIMES[table]
        order = "arrival" if table in ("fact_tickets", "fact_free_ratings") else "1, 2, 3"
        return self.run(
            f"SELECT {columns} FROM {table} WHERE {time} >= ? AND {time} < ? ORDER BY {order}",
            period,
        )

    def oldest(self) -> int | None:
        """The time of the oldest fact; None when there is none."""
        self.settle()
        times = [self.value(f"SELECT min({time}) FROM {table}") for table, time in _TIMES.items()]
        return min((time for time in times if time is not None), default=None)

    # What goes.

    def forget(self, now: int, clock: HallClock) -> int:
        """Delete the oldest day when it is over its age or its share; returns how many rows went.
        To be called again and again."""
        oldest = self.oldest()
        if oldest is None:
            return 0
        limit = self.value("PRAGMA max_page_count") * self.value("PRAGMA page_size")
        if oldest < now - KEEP_MS - DAY_MS or self.bytes() > SHARE * limit:
            return self.forget_oldest_day(clock)
        return 0

    def forget_oldest_day(self, clock: HallClock) -> int:
        """Make room. Returns how many rows went: 0 when there is nothing left to go."""
        oldest = self.oldest()
        if oldest is None:
            return 0
        until = clock.began(oldest) + DAY_MS
        self.run(
            "INSERT INTO meta VALUES ('facts_from', ?) "
            "ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
            (until,),
        )
        return sum(
            self.run(f"DELETE FROM {table} WHERE {time} < ?", (until,)).rowcount
            for table, time in _TIMES.items()
        )

    def bytes(self) -> int:
        """About what the facts take."""
        self.settle()
        rows = {table: self.value(f"SELECT count(*) FROM {table}") for table in _TIMES}
        return sum(count * _ROW_BYTES.get(table, 40) for table, count in rows.items())


def _service(row: Any) -> Service:
    values = list(row)
    values[5] = bool(values[5])
    values[12] = None if values[12] is None else bool(values[12])
    return Service(*values)
