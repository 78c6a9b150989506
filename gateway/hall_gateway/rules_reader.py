"""One rule of a file into one that can run.

Here: what must be right between the fields of a rule and of its actions. Not here: each field by
itself (rules_model.py), the language of expressions (rules_language.py), the file (rules_file.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hall_profiles.fields import Title
from hall_profiles.source import Source, dotted

from hall_gateway.rules_language import Condition, Expression
from hall_gateway.rules_model import (
    ACTION,
    MAX_ACTIONS,
    ActionModel,
    AlertModel,
    BookmarkModel,
    CommandModel,
    EmitModel,
    RuleModel,
    ShowModel,
    TaskModel,
    chosen,
)
from hall_gateway.rules_text import names_in, unclosed
from hall_gateway.rules_types import ExpressionError
from hall_gateway.rules_words import EACH, EVENTS, Each, Scope, Words, matching, of_events
from hall_gateway.toml_input import nearest

_RATED = "hall.rating.given"
_OVERTIME = "hall.service.overtime"
_OVERTIME_DATA = {
    "ticket": "text",
    "window": "text",
    "staff": "text or null",
    "business": "text or null",
    "serving_ms": "number",
    "limit_ms": "number",
}
MIN_REPEAT_MS = 30_000
"""Events that wait for a hall system that is out of reach fill the store."""


@dataclass(frozen=True)
class Action:
    """What a rule does: one of the models by its name, and the expressions of what it emits."""

    name: str
    model: ShowModel | AlertModel | CommandModel | EmitModel | TaskModel | BookmarkModel
    data: Mapping[str, Expression]


class Mention(NamedTuple):
    """That a rule names a `kind` (window, zone, device) with an id, and where in the file."""

    kind: str
    id: str
    line: int
    field: str


@dataclass(frozen=True)
class Rule:
    """A rule that can run: about events of `types`, or about `each` place of a kind."""

    id: str
    title: Title
    source: str
    types: frozenset[str]
    each: Each | None
    when: Condition
    for_ms: int
    until: Condition | None
    scope: Scope
    actions: tuple[Action, ...]
    mentions: tuple[Mention, ...]

    @property
    def alert(self) -> AlertModel | None:
        """The alert that it raises; a rule has at most one."""
        models = (action.model for action in self.actions)
        return next((model for model in models if isinstance(model, AlertModel)), None)

    @property
    def does(self) -> tuple[str, ...]:
        """The names of its actions, as the file has them."""
        return tuple(action.name for action in self.actions)


class Reader:
    """One rule of `source`, in which it notes what is wrong."""

    def __init__(self, source: Source, index: int, model: RuleModel) -> None:
        self._source = source
        self._at: tuple[str | int, ...] = ("rules", index)
        self._model = model
        self._types: frozenset[str] = frozenset()
        self._words: Words = {}
        self._mentions: list[Mention] = []

    def read(self) -> Rule | None:
        """None when something is wrong."""
        before = len(self._source.problems)
        model = self._model
        if not self._about():
            return None
        when = self._condition("when", model.when or "true")
        until = None if model.until is None else self._condition("until", model.until)
        actions = [self._action(index, each) for index, each in enumerate(model.actions)]
        if not 1 <= len(actions) <= MAX_ACTIONS:
            self._wrong(("actions",), f"has {len(actions)} actions", f"1 to {MAX_ACTIONS}")
        if sum(action.alert is not None for action in model.actions) > 1:
            self._wrong(("actions",), "has more than one alert", "one alert a rule")
        scope: Scope = model.scope or "hall"
        if scope == "window" and model.each in ("hall", "zone"):
            self._wrong(("scope",), f"a {model.each} is at no window", "hall or zone")
        if scope == "zone" and model.each == "hall":
            self._wrong(("scope",), "the hall is in no zone", "hall")
        if when is None or len(self._source.problems) > before:
            return None
        done = tuple(action for action in actions if action is not None)
        about = (model.id, model.title, model.source, self._types, model.each)
        return Rule(*about, when, model.for_ms, until, scope, done, tuple(self._mentions))

    def _about(self) -> bool:
        """What the rule is about, and so which names there are."""
        model = self._model
        if (model.on is None) == (model.each is None):
            self._wrong((), "has both on and each, or neither", "one of the two")
            return False
        if model.each is not None:
            self._words = EACH[model.each]
            if model.when is None:
                self._wrong(("when",), "is missing", "an expression, e.g. waiting > 10")
            return model.when is not None
        found = matching(model.on or "")
        if not found:
            self._wrong(("on",), f'no event is a "{model.on}"', nearest(model.on or "", EVENTS))
            return False
        self._types, self._words = frozenset(found), of_events(found)
        for field, given in (("for", model.for_ms), ("until", model.until)):
            if given:
                self._wrong((field,), "an event has no duration", "each in place of on")
        return True

    def _condition(self, field: str, text: str) -> Condition | None:
        try:
            condition = Condition(text, self._words)
            for name, literal in condition.literals:
                self._mention(name, literal, (field,))
            return condition
        except ExpressionError as error:
            self._wrong((field,), f"{_short(text)}: {error}", error.right)
            return None

    def _action(self, index: int, action: ActionModel) -> Action | None:
        at = ("actions", index)
        match chosen(action):
            case [(name, model)]:
                data = self._check(model, (*at, name))
                return Action(name, model, data)
            case found:
                names = " and ".join(name for name, _ in found)
                self._wrong(at, f"has {names or 'nothing'} in one action", ACTION)
                return None

    def _check(self, model: Any, at: tuple[str | int, ...]) -> Mapping[str, Expression]:
        match model:
            case ShowModel():
                self._show(model, at)
            case AlertModel():
                if 0 < (model.repeat_ms or 0) < MIN_REPEAT_MS:
                    self._wrong((*at, "repeat"), "is too often", "30 s or more")
                for language in ("zh", "en"):
                    self._placeholders(getattr(model.text, language), (*at, "text", language))
            case CommandModel():
                if model.device is not None:
                    self._mention("device", model.device, (*at, "device"))
                elif self._model.each != "device":
                    self._wrong((*at, "device"), "is missing", "the id of a device")
            case EmitModel():
                data = self._data(model, at)
                if model.type == _OVERTIME and not self._told_as_overtime(model, data):
                    what = f"{_OVERTIME} has a contract"
                    fields = ", ".join(f"{name} ({kind})" for name, kind in _OVERTIME_DATA.items())
                    self._wrong((*at, "data"), what, f"each: service, and data {fields}")
                return data
            case BookmarkModel() if self._types != frozenset({_RATED}):
                self._wrong(at, "only a rating can be looked up", f"on: {_RATED}")
            case _:
                pass
        return {}

    def _told_as_overtime(self, model: EmitModel, data: Mapping[str, Expression]) -> bool:
        """Whether the names are there; of those that are expressions, whether their types fit."""
        if self._model.each != "service" or set(model.data) != set(_OVERTIME_DATA):
            return False
        kinds = {"STRING": "text", "NULLABLE": "text or null", "NULL": "null", "FLOAT": "number"}
        found = {name: kinds.get(each.type, each.type) for name, each in data.items()}
        return all(kind in _OVERTIME_DATA[name] for name, kind in found.items())

    def _show(self, model: ShowModel, at: tuple[str | int, ...]) -> None:
        if model.view == "text" and model.text is None:
            self._wrong((*at, "text"), "is missing", "what the displays show")
        if model.text is not None:
            self._placeholders(model.text, (*at, "text"))
        if self._model.each is not None and model.for_ms is not None:
            self._wrong((*at, "for"), "it stands as long as the rule does", "no for here")
        if self._model.each is None and (model.for_ms is None or model.for_ms < 1000):
            self._wrong((*at, "for"), "how long it stands is missing", "for: 30 s")
        if self._model.each is None and model.view == "caution":
            what = "a caution stands as long as what it warns of"
            self._wrong((*at, "view"), what, "each: zone, when: wet")

    def _data(self, model: EmitModel, at: tuple[str | int, ...]) -> Mapping[str, Expression]:
        data: dict[str, Expression] = {}
        for name, text in model.data.items():
            try:
                data[name] = Expression(text, self._words)
            except ExpressionError as error:
                self._wrong((*at, "data", name), f"{_short(text)}: {error}", error.right)
        return data

    def _placeholders(self, text: str, at: tuple[str | int, ...]) -> None:
        for name in names_in(text):
            if name not in self._words:
                self._wrong(at, f"there is no {{{name}}} here", nearest(name, self._words))
        if unclosed(text):
            self._wrong(at, "has a brace that is not closed", "a name in braces, e.g. {window}")

    def _mention(self, kind: str, id: str, at: tuple[str | int, ...]) -> None:
        if kind in ("window", "zone", "device"):
            path = (*self._at, *at)
            self._mentions.append(Mention(kind, id, self._source.line(path), dotted(path)))

    def _wrong(self, at: tuple[str | int, ...], what: str, right: str) -> None:
        self._source.add((*self._at, *at), what, right)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
