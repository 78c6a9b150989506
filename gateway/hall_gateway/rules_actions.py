"""What a rule does when it begins: on displays, to devices, to people, to the hall system.

Here: carrying out the actions of a rule at a place. Not here: when that is (rules.py), what an
alert or a task leads to (rules_alerts.py, rules_tasks.py).
"""

import logging
from collections import Counter
from collections.abc import Mapping

from hall_gateway.effects import Effects, Published
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.ratings import FREE
from hall_gateway.rules_alerts import AlertBook, Raise
from hall_gateway.rules_facts import Place, displays
from hall_gateway.rules_language import EvaluationError, Expression
from hall_gateway.rules_model import (
    MAX_DISPLAY_TEXT,
    AlertModel,
    BookmarkModel,
    CommandModel,
    EmitModel,
    ShowModel,
    TaskModel,
)
from hall_gateway.rules_reader import Rule
from hall_gateway.rules_tasks import TaskBook
from hall_gateway.rules_text import filled
from hall_gateway.state import Emit, HallState, Json, Order, Outcome, Rating, Sign
from hall_gateway.store import Store
from hall_gateway.views import Views
from hall_gateway.wire import rfc3339

BEFORE_PRESS_MS = 120_000
"""Where no service tells when it began, as at a window where nobody asks: so long before."""

RULE_FIRED = "hall.rule.fired"
"""A hall's own events have one type, so that the contract has them all."""

_ABOUT = ("ticket", "window", "staff", "business", "mark", "device")

_log = logging.getLogger(__name__)


class Actions:
    """Carries out what rules do."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        state: HallState,
        effects: Effects,
        counts: Counter[str],
        alerts: AlertBook,
        tasks: TaskBook,
    ) -> None:
        self._plan = plan
        self._store = store
        self._state = state
        self._effects = effects
        self._counts = counts
        self._alerts = alerts
        self._tasks = tasks
        self._views = Views(plan, state)

    def begin(self, rule: Rule, place: Place, cause: Published | None, now: int) -> int | None:
        """Do all that `rule` does at `place`; `cause` is the event that it is about. Returns the
        alert that it raised. What it shows as long as it stands is not done here: signs()."""
        alert: int | None = None
        bookmark: int | None = None
        for action in rule.actions:
            match action.model:
                case ShowModel() as show:
                    if cause is not None:
                        self._show(show, displays(rule.scope, place, self._plan), place, now)
                case AlertModel() as model:
                    alert = self._alerts.begin(raised(rule, model, place), now)
                case CommandModel() as command:
                    self._command(rule, command, place, now)
                case EmitModel() as emit:
                    self._emit(rule, emit, action.data, place, now)
                case BookmarkModel():
                    bookmark = self._bookmark(rule, place, cause, now)
                case TaskModel() as task:
                    self._task(rule, task, place, bookmark, now)
        return alert

    def _show(self, show: ShowModel, reached: list[PlannedDevice], place: Place, now: int) -> None:
        """A text for its time, as the command `show` has it."""
        outcome = Outcome()
        until = now + (show.for_ms or 0)
        if text := _display_text(show, place):
            for device in reached:
                self._views.text(device, text, until, outcome, now)
        self._effects.carry_out(outcome, now)

    def _command(self, rule: Rule, command: CommandModel, place: Place, now: int) -> None:
        device = command.device or place.device
        if device is None or device not in self._plan.devices:
            self._counts["rules.unknown_device"] += 1
            _log.warning("rule %s: there is no device %s to command", rule.id, device)
            return
        self._effects.carry_out(Outcome(orders=[Order(device, command.do, command.args)]), now)

    def _emit(
        self,
        rule: Rule,
        emit: EmitModel,
        data: Mapping[str, Expression],
        place: Place,
        now: int,
    ) -> None:
        told: Json = {}
        for name, expression in data.items():
            try:
                told[name] = expression.value(place.facts)
            except EvaluationError:
                self._counts["rules.not_evaluated"] += 1
                told[name] = None
        if emit.type == RULE_FIRED:
            told = {"rule": rule.id, "data": told}
        self._effects.carry_out(Outcome([Emit(emit.type, place.subject, told)]), now)

    def _bookmark(self, rule: Rule, place: Place, cause: Published | None, now: int) -> int | None:
        """Where the cameras saw the service that was rated."""
        if cause is None:
            return None
        data = cause.emit.data
        rating = self._rated(data)
        since = rating.started if rating else None
        until = rating.presses[-1].at if rating and rating.presses else cause.time
        # The keypad's clock may be off, and nobody has pressed before it asked, nor after now.
        until = min(max(until, rating.opened if rating else until), now)
        body: Json = {
            "ticket": data.get("ticket"),
            "window": data.get("window"),
            "staff": data.get("staff"),
            "from": rfc3339(min(since if since is not None else until - BEFORE_PRESS_MS, until)),
            "to": rfc3339(until),
            "camera": self._plan.cameras.get(str(data.get("window"))),
            "clock_quality": cause.quality,
        }
        id = self._store.bookmarks.add(place.subject, now, body)
        told = {"bookmark": id, "rule": rule.id} | body
        self._effects.carry_out(Outcome([Emit("hall.replay.bookmark", place.subject, told)]), now)
        return id

    def _rated(self, data: Json) -> Rating | None:
        """The rating that an event tells of."""
        window, session = data.get("window"), data.get("session") or FREE
        found = [
            r for r in self._state.ratings.values() if (r.window, r.session) == (window, session)
        ]
        return max(found, key=lambda rating: rating.opened, default=None)

    def _task(
        self, rule: Rule, task: TaskModel, place: Place, bookmark: int | None, now: int
    ) -> None:
        about: Json = {name: place.facts.get(name) for name in _ABOUT}
        about["bookmark"] = bookmark
        times = (now, now + task.contact_within, now + task.fix_within)
        self._tasks.begin(rule.id, place.subject, task.title.model_dump(), about, times)


def raised(rule: Rule, model: AlertModel, place: Place) -> Raise:
    """The alert that `rule` raises at `place`, with what is known of it now."""
    text: Json = {
        "zh": filled(model.text.zh, place.facts),
        "en": filled(model.text.en, place.facts),
    }
    title = rule.title.model_dump()
    repeat = model.repeat_ms or 0
    return Raise(rule.id, place.key, place.subject, model.level, title, text, repeat)


def signs(rule: Rule, place: Place) -> tuple[Sign, ...]:
    """What `rule` shows as long as it stands at `place`, with what is known of it now."""
    shows = [action.model for action in rule.actions if isinstance(action.model, ShowModel)]
    found = (Sign(show.view, _display_text(show, place)) for show in shows)
    return tuple(sign for sign in found if sign.view == "caution" or sign.text)


def _display_text(show: ShowModel, place: Place) -> str | None:
    """What fits the contract: so many printable characters."""
    if show.text is None:
        return None
    text = "".join(c for c in filled(show.text, place.facts) if c.isprintable())
    return text.strip()[:MAX_DISPLAY_TEXT].strip() or None
