"""The gateway's store: one SQLite connection, which one thread owns.

Here: transactions, what the store takes on disk, and what it forgets. SQL stands in this module
and in its tables' modules (store_*.py), nowhere else. Not here: when to commit (writer.py), what a
row means (accept.py), how a store is opened (schema.py).
"""

import os
import secrets
import sqlite3
from pathlib import Path

from hall_gateway.schema import PAGE_BYTES, StoreOpenError, open_store
from hall_gateway.store_contexts import Contexts
from hall_gateway.store_dead_letters import DeadLetters
from hall_gateway.store_events import Events, Table
from hall_gateway.store_figures import Figures
from hall_gateway.store_hall import Hall
from hall_gateway.store_rule_states import RuleStates
from hall_gateway.store_rules import Alerts, Bookmarks, Tasks
from hall_gateway.store_sinks import Sinks
from hall_gateway.store_updates import RollOuts

KEEP_MS = 30 * 24 * 3600 * 1000
"""How long rows are kept after they have done their duty, when there is room."""

MAX_QUARANTINE = 1000
MAX_COMMANDS = 10_000
MAX_HOLES = 1000

FULL = 0.9
"""Of its limit: from here on the store takes nothing new, so that cursors can still move."""

CROWDED = 0.8
"""Of its limit: from here on rows that have done their duty go before their time."""

_CHUNK = 500

_NEVER = 2**63 - 1
"""Unix ms after every time, also one of a clock that was once far ahead."""


class Store(Table):
    """Rows in and out. Every method but the first three runs inside a transaction.

    `events` are the raw events, `hall` the state of the hall, `contexts` what is remembered of
    OSCORE security contexts, `sinks` the outbox and its cursors, `dead_letters` what a sink
    refused, `figures` what reports are made of, `roll_outs` releases on their way to devices, the
    rest is what rules remember and lead to. `id`: of this store, 16 hexadecimal digits.
    Raises sqlite3.Error; the caller rolls back then.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection)
        self.events = Events(connection)
        self.hall = Hall(connection)
        self.contexts = Contexts(connection)
        self.sinks = Sinks(connection)
        self.dead_letters = DeadLetters(connection)
        self.rule_states = RuleStates(connection)
        self.alerts = Alerts(connection)
        self.tasks = Tasks(connection)
        self.bookmarks = Bookmarks(connection)
        self.figures = Figures(connection)
        self.roll_outs = RollOuts(connection)
        self._wal = f"{path}-wal"
        self.id = ""
        self.own_epoch = 1 + secrets.randbelow(2**32 - 1)
        """Of the gateway's own events: new at every open, so that a store restored from a backup,
        whose counter is behind, cannot give an id again."""

    @classmethod
    def open(cls, path: Path, max_mb: int) -> "Store":
        """The store at `path`, which the caller owns. Raises schema.StoreOpenError."""
        store = cls(open_store(path, max_mb), path)
        try:
            store.identify()
        except sqlite3.Error as error:
            store.close()
            raise StoreOpenError(f"{path}: {error}; check the disk") from None
        return store

    def identify(self) -> None:
        """Learn the store's id; one that is new, or a backup that was restored, gets one. So nobody
        takes positions that a backup gives once more for those that were given before it; and what
        its sinks took before, they took of the other store."""
        known = "SELECT value FROM meta WHERE key = 'store'"
        self.run(f"UPDATE sinks SET began = taken WHERE NOT EXISTS ({known})")
        self.run(
            "INSERT INTO meta VALUES ('store', ?) ON CONFLICT DO NOTHING", (secrets.randbits(63),)
        )
        self.id = f"{self.value(known):016x}"

    def begin(self) -> None:
        self.run("BEGIN IMMEDIATE")

    def rollback(self) -> None:
        self.sinks.taken_back()
        self.events.taken_back()
        self.figures.taken_back()
        # SQLite has rolled back by itself after some errors: a full disk, an I/O error.
        if self._db.in_transaction:
            self.run("ROLLBACK")

    def commit(self) -> None:
        self._settle()
        self.run("COMMIT")

    def savepoint(self, name: str) -> None:
        """Begin what take_back() undoes: everything before it is written."""
        self._settle()
        self.run(f"SAVEPOINT {name}")

    def take_back(self, name: str) -> None:
        """Undo what was done since the savepoint, which stays."""
        self.run(f"ROLLBACK TO {name}")
        self.events.taken_back()
        self.figures.taken_back()

    def release(self, name: str) -> None:
        """What was done since the savepoint stands."""
        self.run(f"RELEASE {name}")

    def _settle(self) -> None:
        self.events.settle()
        self.figures.settle()

    def close(self) -> None:
        self._db.close()

    def next_own_seq(self) -> int:
        """The next seq of the gateway's own events, from 1."""
        return self.value(
            "INSERT INTO meta VALUES ('own_seq', 1) "
            "ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value"
        )

    def used(self) -> float:
        """How much of its limit the store uses, 0 to 1."""
        pages = self.value("PRAGMA page_count") - self.value("PRAGMA freelist_count")
        return pages / self.value("PRAGMA max_page_count")

    def bytes_on_disk(self) -> int:
        """What the store's file and its log take."""
        try:
            log = os.stat(self._wal).st_size
        except FileNotFoundError:
            log = 0
        return self.value("PRAGMA page_count") * PAGE_BYTES + log

    def forget(self, now: int) -> int:
        """Delete what has done its duty and is old, or the oldest of it when the store is crowded.

        A few hundred rows at a time, so that nothing waits for it. Never an outbox row that a sink
        does not have, nor an event that has had no effect yet. Returns how many rows went.
        """
        before = _NEVER if self.used() >= CROWDED else now - KEEP_MS
        self.sinks.pass_over()
        self.events.settle()
        gone = self._delete(
            "outbox WHERE created < ? AND position <= "
            "(SELECT min(position) FROM sinks WHERE removed IS NULL) "
            "AND position < (SELECT min(position) FROM outbox) + ?",
            before,
            _CHUNK,
        )
        gone += self._delete(
            "events WHERE arrival IN (SELECT arrival FROM events e WHERE received < ? AND seq "
            "<= coalesce((SELECT coalesce(mark, 0) FROM marks m "
            "WHERE (m.device, m.epoch) = (e.device, e.epoch)), seq) ORDER BY received LIMIT ?)",
            before,
            _CHUNK,
        )
        gone += self._delete(
            "ratings WHERE closed IS NOT NULL AND (device, session) IN (SELECT device, session "
            "FROM ratings WHERE closed IS NOT NULL AND opened < ? LIMIT ?)",
            now - KEEP_MS,
            _CHUNK,
        )
        for table in (self.alerts, self.tasks, self.bookmarks):
            gone += table.forget(now)
        return gone + self._trim()

    def _trim(self) -> int:
        """Keep the tables that have no age of their own at their bounds."""
        gone = self._delete(
            "commands WHERE NOT waiting AND reply IS NOT NULL AND arrival <= "
            "(SELECT max(arrival) FROM commands) - ?",
            MAX_COMMANDS,
        )
        gone += self._delete(
            "quarantine WHERE arrival <= (SELECT max(arrival) FROM quarantine) - ?", MAX_QUARANTINE
        )
        gone += self._delete(
            "holes WHERE (device, epoch, first) IN (SELECT device, epoch, first FROM holes "
            "ORDER BY noted DESC LIMIT -1 OFFSET ?)",
            MAX_HOLES,
        )
        return gone + self.dead_letters.trim()

    def _delete(self, where: str, *parameters: object) -> int:
        return self.run(f"DELETE FROM {where}", parameters).rowcount
