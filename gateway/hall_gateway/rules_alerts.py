"""Alerts: raised, told again until somebody acknowledges them, cleared when it is over.

Here: what happens to an alert and what is told of it. Not here: the rows (store_rules.py), when
something is alarming (rules.py).
"""

import logging
from collections import Counter
from dataclasses import dataclass

from hall_gateway.effects import Effects
from hall_gateway.state import Emit, Json, Outcome, RefusedError
from hall_gateway.store import Store
from hall_gateway.store_rules import MAX_OPEN_ALERTS, Alert
from hall_gateway.wire import rfc3339

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Raise:
    """An alert to raise. `title` and `text` have zh and en; `repeat_ms` 0 for once."""

    rule: str
    place: str
    subject: str
    level: str
    title: Json
    text: Json
    repeat_ms: int


class AlertBook:
    """The alerts of a hall."""

    def __init__(self, store: Store, effects: Effects, counts: Counter[str]) -> None:
        self._alerts = store.alerts
        self._states = store.rule_states
        self._effects = effects
        self._counts = counts

    @property
    def room(self) -> bool:
        """Whether one more may stand."""
        return self._alerts.count() < MAX_OPEN_ALERTS

    def begin(self, asked: Raise, now: int) -> int | None:
        """The id of an alert that stands from now on; one that stands already is told again. None
        when there are too many, which is counted."""
        standing = self._alerts.standing(asked.rule, asked.place)
        if standing is not None:
            self.tell_again(standing, asked.text, now)
            return standing.id
        if not self.room:
            self._counts["rules.alerts_refused"] += 1
            _log.error("rule %s: %d alerts stand already", asked.rule, MAX_OPEN_ALERTS)
            return None
        fields = (asked.rule, asked.place, asked.subject, asked.level, asked.title, asked.text)
        unseen = (None, None, None, None)
        alert = self._alerts.add(Alert(0, *fields, now, now, 1, asked.repeat_ms, *unseen))
        self._raised(alert, now)
        return alert.id

    def clear(self, id: int, now: int) -> None:
        """It is over."""
        alert = self._alerts.get(id)
        if alert is None or alert.cleared is not None:
            return
        self._alerts.clear(id, now)
        more: Json = {"raised_at": rfc3339(alert.raised), "acknowledged_by": alert.by}
        self._tell("cleared", alert, more, now)

    def acknowledge(self, id: int, by: str, note: str | None, now: int) -> Alert:
        """Somebody has taken notice; one that nothing else ends is over then. Raises KeyError,
        RefusedError."""
        alert = self._alerts.get(id)
        if alert is None:
            raise KeyError(f"there is no alert {id}")
        if alert.acknowledged is not None:
            raise RefusedError(f"alert {id} was acknowledged by {alert.by} already; nothing to do")
        if alert.cleared is not None:
            raise RefusedError(f"alert {id} is over; nothing to do")
        self._alerts.acknowledge(id, by, note, now)
        self._tell("acknowledged", alert, {"by": by, "note": note}, now)
        if not self._states.has_alert(id):
            self.clear(id, now)
        found = self._alerts.get(id)
        assert found is not None
        return found

    def due(self, now: int) -> list[Alert]:
        """What is to be told again, as nobody has acknowledged it."""
        return self._alerts.due(now)

    def tell_again(self, alert: Alert, text: Json, now: int) -> None:
        """`text` is what there is to say of it now."""
        self._alerts.again(alert.id, text, now)
        found = self._alerts.get(alert.id)
        assert found is not None
        self._raised(found, now)

    def _raised(self, alert: Alert, now: int) -> None:
        more: Json = {
            "text": alert.text,
            "times": alert.times,
            "raised_at": rfc3339(alert.raised),
        }
        self._tell("raised", alert, more, now)

    def _tell(self, verb: str, alert: Alert, more: Json, now: int) -> None:
        self._effects.touched.news.add("alerts")
        data: Json = {
            "alert": alert.id,
            "rule": alert.rule,
            "level": alert.level,
            "title": alert.title,
        }
        emit = Emit(f"hall.alert.{verb}", alert.subject, data | more)
        self._effects.carry_out(Outcome([emit]), now)
