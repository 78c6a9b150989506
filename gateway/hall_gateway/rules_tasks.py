"""Closed-loop tasks: acknowledged, the customer contacted, put right, rated again.

Here: the steps in their order, the two clocks, and what is told of them. Not here: the rows
(store_rules.py), what opens a task (rules_actions.py).
"""

import logging
from collections import Counter

from hall_gateway.effects import Effects
from hall_gateway.state import Emit, Json, Outcome, RefusedError
from hall_gateway.store import Store
from hall_gateway.store_rules import MAX_OPEN_TASKS, Task
from hall_gateway.wire import rfc3339

STEPS = {
    "acknowledge": "acknowledged",
    "contact": "contacted",
    "fix": "fixed",
    "rerate": "rerated",
}
"""Each step and what the task is after it, in their order."""

_log = logging.getLogger(__name__)


class TaskBook:
    """The tasks of a hall."""

    def __init__(self, store: Store, effects: Effects, counts: Counter[str]) -> None:
        self._tasks = store.tasks
        self._effects = effects
        self._counts = counts

    def begin(
        self, rule: str, subject: str, title: Json, about: Json, times: tuple[int, int, int]
    ) -> int | None:
        """The id of a task that is open from now on: `times` are now, and when the customer is to
        be contacted and the cause put right. None when there are too many, which is counted."""
        if self._tasks.count() >= MAX_OPEN_TASKS:
            self._counts["rules.tasks_refused"] += 1
            _log.error("rule %s: %d tasks are open already", rule, MAX_OPEN_TASKS)
            return None
        task = self._tasks.add(rule, subject, title, about, times)
        more: Json = {
            **about,
            "title": title,
            "contact_by": rfc3339(task.contact_by),
            "fix_by": rfc3339(task.fix_by),
        }
        self._tell("opened", task, more, times[0])
        return task.id

    def step(
        self, id: int, step: str, by: str, note: str | None, mark: int | None, now: int
    ) -> Task:
        """One step further. Raises KeyError for no such task or step, RefusedError when it is not
        this step's turn."""
        task = self._tasks.get(id)
        if task is None:
            raise KeyError(f"there is no task {id}")
        if step not in STEPS:
            raise KeyError(f"there is no step {step}; give one of {', '.join(STEPS)}")
        if task.done is not None:
            raise RefusedError(f"task {id} is done; nothing to do")
        after = list(STEPS.values())
        at = 0 if task.step == "opened" else after.index(task.step) + 1
        if (due := list(STEPS)[at]) != step:
            raise RefusedError(f"task {id} is {task.step}; {due} comes next")
        if (mark is not None) != (step == "rerate"):
            raise RefusedError("mark: 1 to 5 goes with rerate, and with no other step")
        became = STEPS[step]
        done = now if step == "rerate" else None
        told: Json = {"by": by, "note": note} | ({} if mark is None else {"mark": mark})
        steps = [*task.steps, {"step": became, "at": now, **told}]
        self._tasks.put_step(id, became, steps, done)
        self._tell(became, task, told, now)
        found = self._tasks.get(id)
        assert found is not None
        return found

    def tick(self, now: int) -> None:
        """Clocks that are over are told, each once."""
        for task, clock in self._tasks.late(now):
            self._tasks.told_late(task.id, clock)
            due = task.contact_by if clock == "contact" else task.fix_by
            more: Json = {"clock": clock, "due": rfc3339(due), "step": task.step}
            self._tell("overdue", task, more, now)

    def _tell(self, verb: str, task: Task, more: Json, now: int) -> None:
        self._effects.touched.news.add("tasks")
        data: Json = {"task": task.id, "rule": task.rule} | more
        emit = Emit(f"hall.task.{verb}", task.subject, data)
        self._effects.carry_out(Outcome([emit]), now)
