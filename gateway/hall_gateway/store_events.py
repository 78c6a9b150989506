"""The store's raw events: what devices sent, and how far each is acked.

Here: SQL over events, marks, holes and quarantine, and how all of the store runs SQL.
Not here: what an event means (accept.py).
"""

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

MAX_QUARANTINED_BODY = 1024


class Table:
    """SQL over the store's connection, inside the transaction that the writer began."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def run(self, sql: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        return self._db.execute(sql, parameters)

    def value(self, sql: str, *parameters: object) -> Any:
        """The one value of the one row."""
        return self._db.execute(sql, parameters).fetchone()[0]

    def maybe(self, sql: str, *parameters: object) -> Any:
        """The first value of the first row; None when there is no row."""
        row = self._db.execute(sql, parameters).fetchone()
        return None if row is None else row[0]


class StoredEvent(NamedTuple):
    """A raw event as it was stored. Times are unix ms, `up` ms since boot."""

    seq: int
    boot: int
    up: int
    t: int | None
    received: int
    kind: str
    data: str


class Events(Table):
    """Raw events by (device, epoch, seq), and the contiguous mark of each (device, epoch).

    The marks in use, and how far each of their epochs is stored, are remembered, and written
    once in a transaction: by settle(), before it is committed.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._marks: dict[tuple[str, int], int | None] = {}
        self._lasts: dict[tuple[str, int], int] = {}
        self._unsettled: dict[tuple[str, int], int] = {}  # when each was used

    def settle(self) -> None:
        """Write the marks that have moved."""
        if self._unsettled:
            rows = [(*key, self._marks[key], used) for key, used in self._unsettled.items()]
            self._db.executemany(
                "INSERT INTO marks VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET mark = excluded.mark, used = excluded.used",
                rows,
            )
            self._unsettled.clear()

    def taken_back(self) -> None:
        """The transaction was: what is remembered may be of it."""
        self._marks.clear()
        self._lasts.clear()
        self._unsettled.clear()

    def hash(self, device: str, epoch: int, seq: int) -> bytes | None:
        """The body hash of a stored event."""
        return self.maybe(
            "SELECT hash FROM events WHERE (device, epoch, seq) = (?, ?, ?)", device, epoch, seq
        )

    def add(self, device: str, epoch: int, event: StoredEvent, hash: bytes) -> None:
        self.run(
            "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(device, epoch, event.seq, event.boot, event.up, event.t, event.received),
                *(event.kind, event.data, hash),
            ),
        )
        if event.seq > self._lasts.get((device, epoch), event.seq):
            self._lasts[device, epoch] = event.seq

    def between(self, device: str, epoch: int, first: int, last: int) -> list[StoredEvent]:
        """The stored events with `first` <= seq <= `last`, in order."""
        rows = self.run(
            "SELECT seq, boot, up, t, received, kind, data FROM events "
            "WHERE device = ? AND epoch = ? AND seq BETWEEN ? AND ? ORDER BY seq",
            (device, epoch, first, last),
        )
        return [StoredEvent(*row) for row in rows]

    def waiting(self, device: str, epoch: int) -> int:
        """How many stored events have had no effect yet, because others before them are missing."""
        return self.value(
            "SELECT count(*) FROM events WHERE device = ? AND epoch = ? AND seq > ?",
            device,
            epoch,
            self.mark(device, epoch) or 0,
        )

    def first(self, device: str, epoch: int) -> int:
        """The lowest seq stored; the epoch has some."""
        return self.value(
            "SELECT min(seq) FROM events WHERE device = ? AND epoch = ?", device, epoch
        )

    def last(self, device: str, epoch: int) -> int:
        """The highest seq stored, 0 when there is none; where events that had their effect were
        forgotten since, it may be that of one of them."""
        last = self._lasts.get((device, epoch))
        if last is None:
            last = self.value(
                "SELECT coalesce(max(seq), 0) FROM events WHERE device = ? AND epoch = ?",
                device,
                epoch,
            )
            if (device, epoch) in self._marks:
                self._lasts[device, epoch] = last
        return last

    def mark(self, device: str, epoch: int) -> int | None:
        """The contiguous mark; None while the base is not known."""
        key = device, epoch
        mark = self._marks.get(key)
        if mark is None:
            mark = self.maybe("SELECT mark FROM marks WHERE (device, epoch) = (?, ?)", *key)
            if mark is not None:
                self._marks[key] = mark
        return mark

    def put_mark(self, device: str, epoch: int, mark: int | None, now: int) -> None:
        """Where the mark stands, and that the epoch is in use."""
        self._marks[device, epoch] = mark
        self._unsettled[device, epoch] = now

    def epochs(self, device: str) -> list[int]:
        """Every epoch known of a device, the one used longest ago first."""
        self.settle()
        rows = self.run("SELECT epoch FROM marks WHERE device = ? ORDER BY used", (device,))
        return [row[0] for row in rows]

    def forget_epoch(self, device: str, epoch: int) -> None:
        """An epoch that will not come back."""
        for known in (self._marks, self._lasts, self._unsettled):
            known.pop((device, epoch), None)
        self.run("DELETE FROM marks WHERE (device, epoch) = (?, ?)", (device, epoch))

    def release(self, listed: Iterable[str]) -> None:
        """Drop what waits of devices that are not `listed` any more. Nothing of it was acked, so
        a device that is listed again sends it again."""
        self.settle()
        self._lasts.clear()
        for device in {row[0] for row in self.run("SELECT device FROM marks")}.difference(listed):
            self.run(
                "DELETE FROM events WHERE device = ? AND seq > (SELECT coalesce(mark, 0) "
                "FROM marks m WHERE (m.device, m.epoch) = (events.device, events.epoch))",
                (device,),
            )

    def add_hole(
        self, device: str, epoch: int, first: int, last: int, reason: str, now: int
    ) -> None:
        """Seqs `first` to `last` will not come; one that touches the hole before it joins it."""
        joined = self.run(
            "UPDATE holes SET last = ? WHERE (device, epoch, last, reason) = (?, ?, ?, ?)",
            (last, device, epoch, first - 1, reason),
        )
        if joined.rowcount == 0:
            self.run(
                "INSERT INTO holes VALUES (?, ?, ?, ?, ?, ?)",
                (device, epoch, first, last, reason, now),
            )

    def fill_hole(self, device: str, epoch: int, seq: int) -> bool:
        """Take `seq` out of the hole it is in; False when it is in none."""
        hole = self.run(
            "DELETE FROM holes WHERE device = ? AND epoch = ? AND first <= ? AND last >= ? "
            "RETURNING first, last, reason, noted",
            (device, epoch, seq, seq),
        ).fetchone()
        if hole is None:
            return False
        first, last, reason, noted = hole
        for low, high in ((first, seq - 1), (seq + 1, last)):
            if low <= high:
                self.run(
                    "INSERT INTO holes VALUES (?, ?, ?, ?, ?, ?)",
                    (device, epoch, low, high, reason, noted),
                )
        return True

    def add_quarantine(
        self, device: str, identity: tuple[int, int] | None, now: int, reason: str, body: bytes
    ) -> bool:
        """Keep a body that could not be taken; False when just this one is there already."""
        epoch, seq = identity or (None, None)
        added = self.run(
            "INSERT INTO quarantine VALUES (NULL, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (device, epoch, seq, now, reason, body[:MAX_QUARANTINED_BODY], sha256(body).digest()),
        )
        return added.rowcount == 1
