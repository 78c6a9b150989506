"""The store's outbox, and the sinks that take from it: how far each is, and how it is.

Here: SQL over outbox and sinks. Not here: what a sink refused (store_dead_letters.py), what becomes
of an event outside (hall_link.py, webhooks.py).

A sink is known by its name. It has a cursor, and maybe types that it wants: the cursor passes over
all others. Passing over costs no commit: it is remembered, and written with the next move of the
cursor, or before rows are forgotten.

Whoever receives a sink's events finds out what of them is lost on the way: each row says after
which position it is the first that the sink wants. So beside the cursor stands which row the sink
took last: what was passed over after it is told of with the next row.
"""

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hall_gateway.store_events import Table
from hall_gateway.values import OutboxRow

LOOKED_AT = 50_000
"""Positions, for what one request asks for: 0.1 s in which nothing else is stored."""
_END = "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0)"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SinkPlan:
    """A sink of the settings: the types that it wants (SQLite's GLOB, none for all), and whether a
    new one begins with the oldest event kept, or with what happens from then on."""

    types: tuple[str, ...] = ()
    from_oldest: bool = False


@dataclass(frozen=True)
class SinkRow:
    """How a sink is. `waiting`: events after its cursor, at most that many of which it wants.

    `acked`: when it last took something. `error`, `failing` (since when) and `retry` (when it is
    tried again) are None while nothing is wrong. `dead` letters wait for somebody's decision,
    `discarded` is how many were given up by hand. `removed`: it is not in the settings any more
    since then, and `waited` events were waiting for it. Times are unix ms.
    """

    name: str
    position: int
    waiting: int
    acked: int | None
    error: str | None
    failing: int | None
    retry: int | None
    dead: int
    discarded: int
    removed: int | None
    waited: int | None

    def figures(self) -> dict[str, object]:
        """All but the name, for /health."""
        return {name: value for name, value in vars(self).items() if name != "name"}


@dataclass(frozen=True)
class Missed:
    """Of positions that were asked for. `places`: (after, position) of each row that is there, as
    OutboxRow has them; `gone` (first, last): their rows were deleted; `void` (first, last): no row
    that the sink wants."""

    places: list[tuple[int, int]]
    gone: list[tuple[int, int]]
    void: list[tuple[int, int]]


class Sinks(Table):
    """The outbox and every sink's cursor."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._plans: Mapping[str, SinkPlan] = {}
        self._passed: dict[str, int] = {}  # after the cursor up to here, a sink wants nothing

    def taken_back(self) -> None:
        """The transaction was: positions that it gave are given again."""
        self._passed.clear()

    def declare(self, plans: Mapping[str, SinkPlan], now: int) -> None:
        """The sinks of the settings. One that is not among them any more holds nothing back; what
        waits for it is told, and kept as long as for the others."""
        known = {row.name: row for row in self.rows()}
        for name in known.keys() - plans.keys():
            if known[name].removed is None:
                waiting = known[name].waiting
                self.run(
                    "UPDATE sinks SET removed = ?, waited = ?, error = NULL, failing = NULL, "
                    "retry = NULL WHERE sink = ?",
                    (now, waiting, name),
                )
                text = "%s is not in the settings any more; %d events waited for it"
                (_log.warning if waiting else _log.info)(text, name, waiting)
        for name, plan in plans.items():
            row = known.get(name)
            if row is None:
                self._add(name, plan.from_oldest)
            elif row.removed is not None:
                self._come_back(row)
            else:
                self.well(name)
        self._plans = plans

    def _add(self, name: str, from_oldest: bool) -> None:
        oldest = "(SELECT min(position) - 1 FROM outbox)" if from_oldest else "NULL"
        self.run(
            "INSERT INTO sinks (sink, position, began, taken) "
            f"SELECT ?, start, start, start FROM (SELECT coalesce({oldest}, {_END}) AS start)",
            (name,),
        )

    def _come_back(self, row: SinkRow) -> None:
        """A sink that was removed goes on where it stopped, as far as that is still there. Of what
        is not, no row may say that the sink did not want it."""
        first = self.value(f"SELECT coalesce((SELECT min(position) FROM outbox), {_END} + 1)")
        missed = max(0, first - 1 - row.position)
        self.run("UPDATE sinks SET removed = NULL, waited = NULL WHERE sink = ?", (row.name,))
        if missed:
            self.run(
                "UPDATE sinks SET position = ?, taken = ? WHERE sink = ?",
                (first - 1, first - 1, row.name),
            )
            _log.warning(
                "%s is back after being out of the settings; %d events were deleted meanwhile",
                row.name,
                missed,
            )

    def add(self, id: str, topic: tuple[str, str], body: bytes, now: int) -> bool:
        """A CloudEvent for every sink; False when its id is there already. Positions have no gap: a
        conflict would use one up."""
        added = self.run(
            "INSERT INTO outbox SELECT NULL, ?, ?, ?, ?, ? "
            "WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE id = ?)",
            (id, *topic, body, now, id),
        )
        return added.rowcount == 1

    def outbox(self, sink: str, limit: int, after: int = 0) -> list[OutboxRow]:
        """The rows after the sink's cursor, and after position `after`, that it wants, in order.
        `after` is 0, or of a row that this gave. One that was never declared wants all, from the
        oldest row on."""
        position, _, taken = self._row(sink)
        wanted, types = self._wanted(sink)
        known = max(position, self._passed.get(sink, 0))
        rows = self.run(
            "SELECT position, noun, verb, body, id FROM outbox "
            f"WHERE position > ? AND ({wanted}) ORDER BY position LIMIT ?",
            (max(known, after), *types, limit),
        )
        found: list[OutboxRow] = []
        before = max(taken, after)
        for position, *row in rows:
            found.append(OutboxRow(position, *row, after=before))
            before = position
        # Rows up to `after` that were not taken yet may be asked for again.
        if types and after <= known:
            self._passed[sink] = found[0].position - 1 if found else self.value(f"SELECT {_END}")
        return found

    def missed(self, sink: str, ranges: Sequence[tuple[int, int]], most: int) -> Missed:
        """What there is at positions of which the sink's events did not arrive: in `ranges` (first,
        last), apart and in ascending order. Behind `most` rows, or LOOKED_AT positions, none is
        looked for."""
        missed = Missed([], [], [])
        end, left = self.value(f"SELECT {_END}"), LOOKED_AT
        for first, last in ranges:
            near = min(last, end, first + left - 1)
            for part in self._parts(first, near):
                if not self._look(sink, part, most, missed):
                    return missed
            left -= max(near - first + 1, 0)
            if near < min(last, end):
                return missed
            if last > end:
                missed.void.append((max(first, end + 1), last))
        return missed

    def _look(self, sink: str, part: tuple[int, int, bool], most: int, missed: Missed) -> bool:
        """Put a part of the outbox where it belongs; False when that is more than `most` rows."""
        first, last, there = part
        if not there:
            missed.gone.append((first, last))
            return True
        wanted, types = self._wanted(sink)
        after, room = first - 1, most - len(missed.places)
        rows = self.run(
            f"SELECT position FROM outbox WHERE position BETWEEN ? AND ? AND ({wanted}) "
            "ORDER BY position LIMIT ?",
            (first, last, *types, room + 1),
        ).fetchall()
        for (position,) in rows[:room]:
            missed.places.append((after, position))
            after = position
        if len(rows) > room:
            return False
        if after < last:
            missed.void.append((after + 1, last))
        return True

    def _parts(self, first: int, last: int) -> Iterator[tuple[int, int, bool]]:
        """From `first` to `last`, which is not behind the end of the outbox, in ascending order:
        (start, end, whether there is a row at each)."""
        deleted = self.run(
            "SELECT before + 1, position - 1 FROM (SELECT position, "
            "lag(position, 1, ?) OVER (ORDER BY position) AS before FROM ("
            "SELECT position FROM outbox WHERE position BETWEEN ? AND ? UNION ALL SELECT ?)) "
            "WHERE position > before + 1",
            (first - 1, first, last, last + 1),
        ).fetchall()
        start = first
        for gone, end in deleted:
            if start < gone:
                yield start, gone - 1, True
            yield gone, end, False
            start = end + 1
        if start <= last:
            yield start, last, True

    def at(self, places: Sequence[tuple[int, int]]) -> list[OutboxRow]:
        """The rows of some of Missed.places that are still there."""
        after = {position: after for after, position in places}
        rows = self.run(
            "SELECT position, noun, verb, body, id FROM outbox WHERE position IN "
            f"({', '.join('?' * len(after))}) ORDER BY position",
            tuple(after),
        )
        return [OutboxRow(position, *row, after=after[position]) for position, *row in rows]

    def reach(self, sink: str) -> tuple[int, int]:
        """The position after which the sink began, and that of the last row that it took, or where
        it began."""
        _, began, taken = self._row(sink)
        return began, taken

    def _row(self, sink: str) -> tuple[int, int, int]:
        """(position, began, taken)."""
        sql = "SELECT position, began, taken FROM sinks WHERE sink = ?"
        found = self.run(sql, (sink,)).fetchone()
        if found is None:
            self._add(sink, from_oldest=True)
            found = self.run(sql, (sink,)).fetchone()
        return found

    def _wanted(self, sink: str) -> tuple[str, tuple[str, ...]]:
        """The condition for the rows that the sink wants, and its parameters."""
        types = self._plans.get(sink, SinkPlan()).types
        return " OR ".join(["'hall.' || noun || '.' || verb GLOB ?"] * len(types)) or "TRUE", types

    def advance(self, sink: str, position: int, now: int) -> None:
        """The sink has every row up to `position`, where one stands (or 0), that it wants; a cursor
        never goes back or past the end. Then nothing is wrong with it."""
        self.run(
            f"UPDATE sinks SET position = max(position, min(?1, {_END})), "
            f"taken = max(taken, min(?1, {_END})), "
            "acked = ?2, error = NULL, failing = NULL, retry = NULL WHERE sink = ?3",
            (position, now, sink),
        )

    def failed(self, sink: str, error: str, retry: int | None, now: int) -> None:
        """The sink does not take what is next; it is tried again at unix ms `retry`."""
        self.run(
            "UPDATE sinks SET error = ?, failing = coalesce(failing, ?), retry = ? WHERE sink = ?",
            (error, now, retry, sink),
        )

    def well(self, sink: str) -> None:
        """Nothing is wrong with the sink any more, whether there is something for it or not."""
        self.run(
            "UPDATE sinks SET error = NULL, failing = NULL, retry = NULL WHERE sink = ?", (sink,)
        )

    def pass_over(self) -> None:
        """Write down what cursors have passed over, so that it can be forgotten."""
        for sink, passed in self._passed.items():
            self.run(
                "UPDATE sinks SET position = ? WHERE sink = ? AND position < ?",
                (passed, sink, passed),
            )

    def rows(self) -> list[SinkRow]:
        """Every sink, by name."""
        rows = self.run(
            f"SELECT sink, position, {_END}, acked, error, failing, retry, dead, discarded, "
            "removed, waited FROM sinks ORDER BY sink"
        ).fetchall()
        return [
            SinkRow(name, position, end - max(position, self._passed.get(name, 0)), *more)
            for name, position, end, *more in rows
        ]
