"""The store's tables of what rules lead to: alerts, closed-loop tasks, bookmarks.

Here: SQL over alerts, tasks and bookmarks. Not here: when a rule stands (rules.py), what an alert
or a task leads to (rules_alerts.py, rules_tasks.py), what rules remember (store_rule_states.py).

Each class takes any connection, so that whoever only reads may use it, too.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from hall_gateway.state import Json
from hall_gateway.store_events import Table
from hall_gateway.wire import compact

MAX_OPEN_ALERTS = 1000
MAX_OPEN_TASKS = 1000
MAX_KEPT = 10_000
"""Alerts, tasks and bookmarks that are done with, of each."""
KEEP_MS = 400 * 24 * 3600 * 1000
"""As long as figures are kept."""


@dataclass(frozen=True)
class Alert:
    """Times are unix ms. `title` and `text` have zh and en; `times` is how often it was told."""

    id: int
    rule: str
    place: str
    subject: str
    level: str
    title: Json
    text: Json
    raised: int
    told: int
    times: int
    repeat_ms: int
    acknowledged: int | None
    by: str | None
    note: str | None
    cleared: int | None


@dataclass(frozen=True)
class Task:
    """Times are unix ms. `about`: ticket, window, staff, business, mark, bookmark, as far as they
    are known; `steps`: what was done, each {step, at, by, note, mark}. `contact_late`, `fix_late`:
    1 when that clock's end was told."""

    id: int
    rule: str
    subject: str
    title: Json
    about: Json
    opened: int
    contact_by: int
    fix_by: int
    step: str
    steps: list[Json]
    contact_late: int
    fix_late: int
    done: int | None


@dataclass(frozen=True)
class Bookmark:
    """Where to look: ticket, window, staff, from, to, camera, clock_quality. `made`: unix ms."""

    id: int
    subject: str
    made: int
    body: Json


_ALERT = (
    "id, rule, place, subject, level, title, text, raised, told, times, repeat_ms, acknowledged, "
    "by, note, cleared"
)


class Alerts(Table):
    """Alerts, those that stand and those that are over."""

    def add(self, alert: Alert) -> Alert:
        """`alert` with the id that it gets."""
        body = (alert.rule, alert.place, alert.subject, alert.level)
        texts = (_text(alert.title), _text(alert.text))
        id = self.value(
            "INSERT INTO alerts (rule, place, subject, level, title, text, raised, told, repeat_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            *(*body, *texts, alert.raised, alert.told, alert.repeat_ms),
        )
        return cast(Alert, self.get(id))

    def get(self, id: int) -> Alert | None:
        return next(iter(self._some("WHERE id = ?", id)), None)

    def open(self) -> list[Alert]:
        """Those that are not over, the newest first."""
        return self._some("WHERE cleared IS NULL ORDER BY id DESC")

    def recent(self, limit: int) -> list[Alert]:
        """Those that are over, the newest first."""
        return self._some("WHERE cleared IS NOT NULL ORDER BY id DESC LIMIT ?", limit)

    def standing(self, rule: str, place: str) -> Alert | None:
        """The one of that rule at that place that is not over."""
        where = "WHERE rule = ? AND place = ? AND cleared IS NULL"
        return next(iter(self._some(where, rule, place)), None)

    def count(self) -> int:
        """How many are not over."""
        return self.value("SELECT count(*) FROM alerts WHERE cleared IS NULL")

    def due(self, now: int) -> list[Alert]:
        """Those to be told again; of a clock that was set back, too."""
        return self._some(
            "WHERE cleared IS NULL AND acknowledged IS NULL AND repeat_ms > 0 "
            "AND (told + repeat_ms <= ? OR told > ?)",
            *(now, now),
        )

    def again(self, id: int, text: Json, now: int) -> None:
        """It is told once more."""
        self.run(
            "UPDATE alerts SET told = ?, times = times + 1, text = ? WHERE id = ?",
            (now, _text(text), id),
        )

    def move(self, id: int, raised: int, told: int, place: str) -> None:
        """The clock was set: it was told at another time, and is about what has another key."""
        self.run(
            "UPDATE alerts SET raised = ?, told = ?, place = ? WHERE id = ?",
            (raised, told, place, id),
        )

    def acknowledge(self, id: int, by: str, note: str | None, now: int) -> None:
        self.run(
            "UPDATE alerts SET acknowledged = ?, by = ?, note = ? WHERE id = ?", (now, by, note, id)
        )

    def clear(self, id: int, now: int) -> None:
        self.run("UPDATE alerts SET cleared = ? WHERE id = ?", (now, id))

    def forget(self, now: int) -> int:
        """Delete what is over and old, or too much; how many went."""
        return _forget(self, "alerts", "cleared IS NOT NULL AND raised", now)

    def _some(self, where: str, *parameters: object) -> list[Alert]:
        rows = self.run(f"SELECT {_ALERT} FROM alerts {where}", parameters)
        return [Alert(*_with_json(row, 5, 6)) for row in rows]


class Tasks(Table):
    """Closed-loop tasks, open and done."""

    def add(
        self, rule: str, subject: str, title: Json, about: Json, times: tuple[int, int, int]
    ) -> Task:
        """`times`: when it was opened, when the customer is to be contacted, and when fixed."""
        id = self.value(
            "INSERT INTO tasks (rule, subject, title, about, opened, contact_by, fix_by) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            *(rule, subject, _text(title), _text(about), *times),
        )
        return cast(Task, self.get(id))

    def get(self, id: int) -> Task | None:
        return next(iter(self._some("WHERE id = ?", id)), None)

    def open(self) -> list[Task]:
        """Those that are not done, the newest first."""
        return self._some("WHERE done IS NULL ORDER BY id DESC")

    def recent(self, limit: int) -> list[Task]:
        """Those that are done, the newest first."""
        return self._some("WHERE done IS NOT NULL ORDER BY id DESC LIMIT ?", limit)

    def count(self) -> int:
        """How many are not done."""
        return self.value("SELECT count(*) FROM tasks WHERE done IS NULL")

    def late(self, now: int) -> list[tuple[Task, str]]:
        """Open ones with a clock (contact, fix) that is over and was not told."""
        contact = self._some(
            "WHERE done IS NULL AND NOT contact_late AND contact_by <= ? "
            "AND step IN ('opened', 'acknowledged')",
            now,
        )
        fix = self._some(
            "WHERE done IS NULL AND NOT fix_late AND fix_by <= ? "
            "AND step IN ('opened', 'acknowledged', 'contacted')",
            now,
        )
        return [(task, "contact") for task in contact] + [(task, "fix") for task in fix]

    def told_late(self, id: int, clock: str) -> None:
        assert clock in ("contact", "fix")
        self.run(f"UPDATE tasks SET {clock}_late = 1 WHERE id = ?", (id,))

    def move(self, by: int, first: int, last: int) -> None:
        """The clock was set: those opened from `first` to `last` were opened `by` ms later."""
        self.run(
            "UPDATE tasks SET opened = opened + ?1, contact_by = contact_by + ?1, "
            "fix_by = fix_by + ?1 WHERE done IS NULL AND opened BETWEEN ?2 AND ?3",
            (by, first, last),
        )

    def put_step(self, id: int, step: str, steps: list[Json], done: int | None) -> None:
        self.run(
            "UPDATE tasks SET step = ?, steps = ?, done = ? WHERE id = ?",
            (step, _text(steps), done, id),
        )

    def forget(self, now: int) -> int:
        """Delete what is done and old, or too much; how many went."""
        return _forget(self, "tasks", "done IS NOT NULL AND opened", now)

    def _some(self, where: str, *parameters: object) -> list[Task]:
        rows = self.run(
            "SELECT id, rule, subject, title, about, opened, contact_by, fix_by, step, steps, "
            f"contact_late, fix_late, done FROM tasks {where}",
            parameters,
        )
        return [Task(*_with_json(row, 3, 4, 9)) for row in rows]


class Bookmarks(Table):
    """Where to look in the cameras' recordings."""

    def add(self, subject: str, made: int, body: Json) -> int:
        """The id that it gets."""
        return self.value(
            "INSERT INTO bookmarks (subject, made, body) VALUES (?, ?, ?) RETURNING id",
            *(subject, made, _text(body)),
        )

    def get(self, id: int) -> Bookmark | None:
        return next(iter(self._some("WHERE id = ?", id)), None)

    def recent(self, limit: int) -> list[Bookmark]:
        """The newest first."""
        return self._some("ORDER BY id DESC LIMIT ?", limit)

    def forget(self, now: int) -> int:
        """Delete what is old, or too much; how many went."""
        return _forget(self, "bookmarks", "made", now)

    def _some(self, tail: str, *parameters: object) -> list[Bookmark]:
        rows = self.run(f"SELECT id, subject, made, body FROM bookmarks {tail}", parameters)
        return [Bookmark(*_with_json(row, 3)) for row in rows]


def _forget(table: Table, name: str, since: str, now: int) -> int:
    """A few hundred rows of what is done with, so that nothing waits for it. `since` ends with the
    column that says how old a row is."""
    done = since.rpartition(" AND ")[0] or "1"
    old = table.run(
        f"DELETE FROM {name} WHERE id IN (SELECT id FROM {name} WHERE {since} < ? LIMIT 500)",
        (now - KEEP_MS,),
    )
    many = table.run(
        f"DELETE FROM {name} WHERE id IN (SELECT id FROM {name} WHERE {done} "
        "ORDER BY id DESC LIMIT 500 OFFSET ?)",
        (MAX_KEPT,),
    )
    return old.rowcount + many.rowcount


def _text(value: object) -> str:
    return compact(value).decode()


def _with_json(row: Sequence[Any], *columns: int) -> list[Any]:
    """`row` with these columns read."""
    return [json.loads(held) if at in columns else held for at, held in enumerate(row)]
