"""A rule file into rules that can run, with every error at its line.

Here: reading YAML, and the file as a whole. Not here: the fields (rules_model.py), what must be
right between those of a rule (rules_reader.py), when a file is read (rules_watch.py).
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from hall_profiles.errors import Problem
from hall_profiles.source import Source, parse
from pydantic import ValidationError

from hall_gateway.rules_model import MAX_RULES, RulesModel
from hall_gateway.rules_reader import Reader, Rule
from hall_gateway.toml_input import findings

SHIPPED = "rules.yaml"
"""In this package: the rules of a hall that has no file of its own."""

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
    rules = [Reader(source, index, rule).read() for index, rule in enumerate(model.rules)]
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
