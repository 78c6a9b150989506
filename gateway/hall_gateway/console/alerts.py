"""Alerts and closed-loop tasks, as their page shows them.

Here: what of the store becomes a row, and which step of a task comes next. Not here: the page and
what may be done (pages_alerts.py), what an alert or a task leads to (the gateway's rules).
"""

import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

from hall_gateway.console.words import Words
from hall_gateway.state import Json
from hall_gateway.store_rules import Alert, Alerts, Bookmark, Bookmarks, Task, Tasks

RECENT = 30
"""Of those that are over, on the page."""

STEPS = ("acknowledge", "contact", "fix", "rerate")
"""What is done with a task, in this order; and what it is after each:"""
BECAME = ("acknowledged", "contacted", "fixed", "rerated")

Due = Literal["", "soon", "late"]

SOON = 0.25
"""A clock is nearly over when less than so much of its time is left."""


@dataclass(frozen=True)
class Clock:
    """One of a task's two clocks, while it runs. `left_ms` is negative when it is over."""

    name: str
    by: int
    left_ms: int
    due: Due


@dataclass(frozen=True)
class Loop:
    """A task. `done` is how many of STEPS were; `following` the next one, None when it is over."""

    task: Task
    done: int
    following: str | None
    clocks: list[Clock]
    bookmark: Bookmark | None


@dataclass(frozen=True)
class AlertBoard:
    """Everything on the page."""

    alerts: list[Alert]
    loops: list[Loop]
    over: list[Alert]
    closed: list[Loop]


def board(connection: sqlite3.Connection, now: int) -> AlertBoard:
    """At unix ms `now`. Raises sqlite3.Error."""
    alerts, tasks, marks = Alerts(connection), Tasks(connection), Bookmarks(connection)
    return AlertBoard(
        standing(alerts),
        sorted((_loop(task, marks, now) for task in tasks.open()), key=_urgency),
        alerts.recent(RECENT),
        [_loop(task, marks, now) for task in tasks.recent(RECENT)],
    )


def standing(alerts: Alerts) -> list[Alert]:
    """The alerts that are not over: what nobody has acknowledged first, then the newest."""
    return sorted(alerts.open(), key=lambda alert: (alert.acknowledged is not None, -alert.raised))


def kind(level: str) -> str:
    """The sign of an alert's level."""
    return {"info": "rest", "warning": "warn", "critical": "bad"}.get(level, "warn")


def place_of(subject: str, t: Words) -> str:
    """`window/1` in words."""
    noun, _, name = subject.partition("/")
    if noun == "window":
        return t("live.window", window=name)
    return t("devices.zone", zone=name) if noun == "zone" else t("alerts.hall")


def about(task: Task, t: Words, *, named: bool) -> list[tuple[str, str]]:
    """What is known of the service that a task is about, as (name, value); who served only where
    people are `named`."""
    told: Json = task.about
    names = ("ticket", "window", *(("staff",) if named else ()), "business", "mark")
    return [(t(f"alerts.{name}"), str(told[name])) for name in names if told.get(name) is not None]


def _loop(task: Task, marks: Bookmarks, now: int) -> Loop:
    done = BECAME.index(task.step) + 1 if task.step in BECAME else 0
    following = None if task.done is not None else STEPS[done]
    bookmark: Any = task.about.get("bookmark")
    clocks: list[Clock] = []
    if task.done is None and done < STEPS.index("contact") + 1:
        clocks.append(_clock("contact", task.opened, task.contact_by, now))
    if task.done is None and done < STEPS.index("fix") + 1:
        clocks.append(_clock("fix", task.opened, task.fix_by, now))
    found = marks.get(bookmark) if isinstance(bookmark, int) else None
    return Loop(task, done, following, clocks, found)


def _urgency(loop: Loop) -> tuple[int, int]:
    """What has to be done first comes first."""
    nearest = min((clock.by for clock in loop.clocks), default=2**63)
    return nearest, -loop.task.id


def _clock(name: str, opened: int, by: int, now: int) -> Clock:
    left = by - now
    soon = left < SOON * (by - opened)
    return Clock(name, by, left, "late" if left < 0 else "soon" if soon else "")
