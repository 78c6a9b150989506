"""The rules of a hall at work: which stand, what begins with that, and what ends.

Here: conditions over time (for, until) and over events, and what displays show while rules stand.
Not here: what a rule file says (rules_file.py), facts (rules_facts.py), what an action does
(rules_actions.py).

A rule about places is looked at with every tick. Its condition must hold for its time, then it
stands until it is over; both are rows in the store, so a restart in the middle changes nothing. A
rule about events acts in the transaction that publishes the event. What a rule does is stored with
what caused it, so a kill loses neither and repeats neither.
"""

import json
import logging
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar, cast

from hall_gateway.clock_jump import Jump
from hall_gateway.effects import Effects, Published
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.rules_actions import Actions, raised, signs
from hall_gateway.rules_alerts import AlertBook
from hall_gateway.rules_facts import Now, Place, displays, of_event, places, service_moved
from hall_gateway.rules_file import RuleSet
from hall_gateway.rules_language import Condition, EvaluationError
from hall_gateway.rules_reader import Rule
from hall_gateway.rules_tasks import TaskBook
from hall_gateway.rules_words import Each
from hall_gateway.state import HallState, Json, Outcome, Sign
from hall_gateway.store import Store
from hall_gateway.store_rule_states import RuleState
from hall_gateway.store_rules import Alert
from hall_gateway.views import Views

_FLOOR = {
    "hall.floor.wet": ("wet", True),
    "hall.floor.dry": ("wet", False),
    "hall.rain.started": ("rain", True),
    "hall.rain.ended": ("rain", False),
}

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Rules:
    """The rules of `ruleset` over `state`; None before any were read, and then nothing happens."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        state: HallState,
        effects: Effects,
        ruleset: RuleSet | None,
        counts: Counter[str],
    ) -> None:
        self._plan = plan
        self._store = store
        self._state = state
        self._effects = effects
        self._counts = counts
        self._views = Views(plan, state)
        self.alerts = AlertBook(store, effects, counts)
        self.tasks = TaskBook(store, effects, counts)
        self._actions = Actions(plan, store, state, effects, counts, self.alerts, self.tasks)
        self._alarming: dict[int, tuple[Rule, Place]] = {}  # alerts that a rule stands for
        self._told: set[str] = set()  # what does not work, each logged once
        self.follow(ruleset)
        effects.followers.append(self._published)

    def follow(self, ruleset: RuleSet | None) -> None:
        """Other rules from here on; those that went end with the next tick."""
        self._rules = ruleset
        self._told.clear()
        self._by_type: dict[str, list[Rule]] = defaultdict(list)
        for rule in ruleset.rules if ruleset else ():
            for type in rule.types:
                self._by_type[type].append(rule)

    def tick(self, now: int) -> None:
        """Look at every place. To be called once a second."""
        if self._rules is not None:
            self._attempt("the rules", partial(self._look, now))
        for alert in self.alerts.due(now):
            again = partial(self._again, alert, now)
            self._attempt(f"alert {alert.id} of rule {alert.rule}", again)
        self._attempt("the clocks of tasks", partial(self.tasks.tick, now))

    def reported(self, device: PlannedDevice, payload: bytes, now: int) -> None:
        """A floor sensor has reported its state: it may be newer than its last event."""
        if device.role != "wet_floor":
            return
        shows: object = json.loads(payload).get("shows")
        for what in ("wet", "rain"):
            if isinstance(shows, dict) and isinstance(on := cast(Json, shows).get(what), bool):
                self._store.rule_states.floor(device.id, what, on, now)

    def clock_jumped(self, jump: Jump) -> None:
        """Times of this run go with the clock, and with its start the name of a service."""
        states = self._store.rule_states
        for state in states.all().values():
            held, stands = (
                time + jump.by if time is not None and jump.moves(time) else time
                for time in (state.held, state.stands)
            )
            states.drop(state.rule, state.place)
            place = service_moved(state.place, jump)
            states.put(replace(state, place=place, held=held or 0, stands=stands))
        states.move_floors(jump.by, jump.began, jump.before)
        for alert in self._store.alerts.open():
            if jump.moves(alert.told):
                raised = alert.raised + (jump.by if jump.moves(alert.raised) else 0)
                place = service_moved(alert.place, jump)
                self._store.alerts.move(alert.id, raised, alert.told + jump.by, place)
        self._store.tasks.move(jump.by, jump.began, jump.before)

    def _again(self, alert: Alert, now: int) -> None:
        """Tell an alert with what is known now; what it said, when its rule is about what has
        happened."""
        text = alert.text
        if (stands := self._alarming.get(alert.id)) is not None:
            rule, place = stands
            if rule.alert is not None:
                text = raised(rule, rule.alert, place).text
        self.alerts.tell_again(alert, text, now)

    def _attempt(self, what: str, work: Callable[[], T]) -> T | None:
        """What `work` returns; None when it could not be done, which is counted, logged once, and
        nobody else's trouble."""
        try:
            return self._effects.attempt(work)
        except sqlite3.Error:
            raise
        except Exception:
            self._counts["rules.defects"] += 1
            self._once(what, "not done", exc_info=True)
            return None

    def _once(self, what: str, why: str, exc_info: bool = False) -> None:
        """Log it the first time since the rules were read."""
        if what not in self._told:
            self._told.add(what)
            _log.error("%s: %s; told once, and counted", what, why, exc_info=exc_info)

    def _published(self, published: Published, now: int) -> None:
        self._floor(published, now)
        rules = self._by_type.get(published.emit.type)
        if rules:
            place = of_event(published.emit, self._plan)
            for rule in rules:
                if self._holds(rule, rule.when, place):
                    begin = partial(self._actions.begin, rule, place, published, now)
                    self._attempt(f"rule {rule.id}", begin)

    def _floor(self, published: Published, now: int) -> None:
        """What a floor sensor says by an event."""
        if (said := _FLOOR.get(published.emit.type)) is not None:
            device = published.id.partition("/")[0]
            # A device's clock may be ahead.
            self._store.rule_states.floor(device, *said, min(published.time, now))

    def _look(self, now: int) -> None:
        """Every rule about places at every place."""
        assert self._rules is not None
        before = self._store.rule_states.all()
        given = Now(
            self._plan,
            self._state,
            self._store.hall.devices(),
            self._store.rule_states.floors(),
            now,
        )
        known: dict[Each, list[Place]] = {}
        standing: list[tuple[Rule, Place]] = []
        unalarmed: list[tuple[Rule, Place, RuleState]] = []
        self._alarming = {}
        for rule in self._rules.rules:
            if rule.each is None:
                continue
            if rule.each not in known:
                known[rule.each] = places(rule.each, given)
            for place in known[rule.each]:
                state = before.pop((rule.id, place.key), None)
                state = self._at(rule, place, state, now)
                if state is not None and state.stands is not None:
                    standing.append((rule, place))
                    if state.alert is not None:
                        self._alarming[state.alert] = rule, place
                    elif rule.alert is not None:
                        unalarmed.append((rule, place, state))
        for state in before.values():  # the rule is gone, or its place is
            self._ends(state, now)
        self._show(standing, now)
        for rule, place, state in unalarmed:
            if self.alerts.room and rule.alert is not None:
                begin = partial(self.alerts.begin, raised(rule, rule.alert, place), now)
                alert = self._attempt(f"rule {rule.id}", begin)
                self._store.rule_states.put(replace(state, alert=alert))

    def _at(self, rule: Rule, place: Place, state: RuleState | None, now: int) -> RuleState | None:
        """One rule at one place; what of it holds or stands then."""
        if state is not None and state.stands is not None:
            if not self._over(rule, place):
                return state
            self._ends(state, now)
            return None
        if not self._holds(rule, rule.when, place):
            if state is not None:
                self._store.rule_states.drop(rule.id, place.key)
            return None
        # The clock may have been set back since.
        held = now if state is None or state.held > now else state.held
        holds = RuleState(rule.id, place.key, held)
        if now - held >= rule.for_ms:
            begin = partial(self._actions.begin, rule, place, None, now)
            holds = replace(holds, stands=now, alert=self._attempt(f"rule {rule.id}", begin))
        if holds != state:
            self._store.rule_states.put(holds)
        return holds

    def _over(self, rule: Rule, place: Place) -> bool:
        """Whether a rule that stands does so no more. What cannot be told changes nothing."""
        try:
            if rule.until is not None:
                return rule.until.holds(place.facts)
            return not rule.when.holds(place.facts)
        except EvaluationError as error:
            self._untold(rule, error)
            return False

    def _holds(self, rule: Rule, condition: Condition, place: Place) -> bool:
        try:
            return condition.holds(place.facts)
        except EvaluationError as error:
            self._untold(rule, error)
            return False

    def _untold(self, rule: Rule, error: EvaluationError) -> None:
        self._counts["rules.not_evaluated"] += 1
        self._once(f"rule {rule.id} has no value for what is known", str(error))

    def _ends(self, state: RuleState, now: int) -> None:
        self._store.rule_states.drop(state.rule, state.place)
        if state.alert is not None:
            self.alerts.clear(state.alert, now)

    def _show(self, standing: list[tuple[Rule, Place]], now: int) -> None:
        """The signs of all rules that stand, the first in the file first."""
        shown: dict[str, tuple[Sign, ...]] = {}
        for rule, place in standing:
            if own := signs(rule, place):
                for device in displays(rule.scope, place, self._plan):
                    shown[device.id] = shown.get(device.id, ()) + own
        outcome = Outcome()
        self._views.signs(shown, outcome, now)
        self._effects.carry_out(outcome, now)
