"""A rule file into rules that can run, with every error at its line.

Here: reading YAML, and what must be right between the fields of a rule. Not here: the fields
(rules_model.py), the language of expressions (rules_language.py), when a file is read
(rules_watch.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from hall_profiles.errors import Problem
from hall_profiles.fields import Title
from hall_profiles.source import Source, parse
from pydantic import ValidationError

from hall_gateway.rules_language import Condition, Expression
from hall_gateway.rules_model import (
    ACTION,
    MAX_ACTIONS,
    MAX_RULES,
    ActionModel,
    AlertModel,
    BookmarkModel,
    CommandModel,
    EmitModel,
    RuleModel,
    RulesModel,
    ShowModel,
    TaskModel,
    chosen,
)
from hall_gateway.rules_text import names_in, unclosed
from hall_gateway.rules_types import ExpressionError
from hall_gateway.rules_words import EACH, EVENTS, Each, Scope, Words, matching, of_events
from hall_gateway.toml_input import findings, nearest

SHIPPED = "rules.yaml"
"""In this package: the rules of a hall that has no file of its own."""

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
_PYTHONS = re.compile(r"(tuple|dictionary|string|integer)(?: or instance of \w+)?")
_PYTHONS_WORDS = {
    "tuple": "list",
    "dictionary": "group of fields",
    "string": "text",
    "integer": "whole number",
}


class RulesError(Exception):
    """A rule file that cannot be used; `problems` has everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Action:
    """What a rule does: one of the models by its name, and the expressions of what it emits."""

    name: str
    model: ShowModel | AlertModel | CommandModel | EmitModel | TaskModel | BookmarkModel
    data: Mapping[str, Expression]


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

    @property
    def alert(self) -> AlertModel | None:
        """The alert that it raises; a rule has at most one."""
        models = (action.model for action in self.actions)
        return next((model for model in models if isinstance(model, AlertModel)), None)

    @property
    def does(self) -> tuple[str, ...]:
        """The names of its actions, as the file has them."""
        return tuple(action.name for action in self.actions)


@dataclass(frozen=True)
class RuleSet:
    """The rules of one file, and the text that they were read from."""

    rules: tuple[Rule, ...]
    text: str
    file: str


def shipped() -> RuleSet:
    """The rules inside this package."""
    return compiled((files("hall_gateway") / SHIPPED).read_text(encoding="utf-8"), SHIPPED)


def load_rules(path: Path) -> RuleSet:
    """The rules in the file at `path`. Raises RulesError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        right = "the path of a rule file, see docs/rules.md"
        what = f"cannot be read: {error.strerror}"
        raise RulesError([Problem(str(path), 0, "", what, right)]) from None
    except UnicodeDecodeError as error:
        what = f"is not UTF-8: {error.reason} at byte {error.start}"
        raise RulesError([Problem(str(path), 0, "", what, "a file saved as UTF-8")]) from None
    return compiled(text, str(path))


def compiled(text: str, file: str) -> RuleSet:
    """The rules in `text`, which was read from `file`. Raises RulesError."""
    source = parse(text, file, "rule file")
    if source.problems:
        raise RulesError(source.problems)
    try:
        model = RulesModel.model_validate(source.data)
    except ValidationError as error:
        for place, told in findings(error, RulesModel):
            what, _, right = told.partition("; right would be: ")
            what = _PYTHONS.sub(lambda found: _PYTHONS_WORDS[found[1]], what)
            if not place:
                what, right = "does not begin with rules:", "rules: and below it a list of rules"
            elif what.startswith("unknown") and (empty := _empty_beside(source.data, place)):
                right = f"indent it below {empty}:"
            source.add(place, what, right or "see docs/rules.md")
        raise _error(source) from None
    rules = [_Reader(source, index, rule).read() for index, rule in enumerate(model.rules)]
    for index, rule in enumerate(model.rules):
        if (first := [each.id for each in model.rules].index(rule.id)) != index:
            what = f'"{rule.id}" is the id of rules[{first + 1}] already'
            source.add(("rules", index, "id"), what, "an id of its own for each rule")
    if len(model.rules) > MAX_RULES:
        source.add(("rules",), f"has {len(model.rules)} rules", f"at most {MAX_RULES}")
    if source.problems:
        raise _error(source)
    return RuleSet(tuple(rule for rule in rules if rule is not None), text, file)


def _empty_beside(data: Any, place: tuple[str | int, ...]) -> str | None:
    """The field without a value beside the one at `place`, to which it may belong."""
    for part in place[:-1]:
        data = data[part]
    around = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    return next((name for name, value in around.items() if value is None), None)


def _error(source: Source) -> RulesError:
    return RulesError(sorted(source.problems, key=lambda problem: problem.line))


class _Reader:
    """One rule of `source`, in which it notes what is wrong."""

    def __init__(self, source: Source, index: int, model: RuleModel) -> None:
        self._source = source
        self._at: tuple[str | int, ...] = ("rules", index)
        self._model = model
        self._types: frozenset[str] = frozenset()
        self._words: Words = {}

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
        return Rule(*about, when, model.for_ms, until, scope, done)

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
            return Condition(text, self._words)
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
                if model.device is None and self._model.each != "device":
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

    def _wrong(self, at: tuple[str | int, ...], what: str, right: str) -> None:
        self._source.add((*self._at, *at), what, right)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
