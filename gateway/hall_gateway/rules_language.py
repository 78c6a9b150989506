"""The expressions of rules: checked when they are loaded, then evaluated on what is known.

Here: which part of rule-engine's language a rule may use, and its errors in words. Not here: what
of it fits together (rules_types.py), the names (rules_words.py), which rule has which expression
(rules_file.py).

What is allowed: names, texts, numbers, true, false, null, lists; == != < <= > >=, in, and, or, not;
+ - * / %; ?? (a value in place of null). No attribute, no call, no pattern, no power: an expression
ends after as many steps as it has words, and sees nothing but the names it is given.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import rule_engine  # pyright: ignore[reportMissingTypeStubs]
from rule_engine import errors  # pyright: ignore[reportMissingTypeStubs]

from hall_gateway.rules_types import KINDS, ExpressionError, check_types, literals
from hall_gateway.rules_words import Kind, Words
from hall_gateway.toml_input import nearest

MAX_LENGTH = 500
MAX_DEPTH = 30

_TOKEN = re.compile(
    r"\s+|(?P<text>\"[^\"\\\n]*\"|'[^'\\\n]*')|(?P<number>[0-9]+(?:\.[0-9]+)?(?![0-9A-Za-z_.]))"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>==|!=|<=|>=|\?\?|[<>()\[\],+\-%]|\*(?!\*)|/(?!/))"
)
_WORDS = {"and", "or", "not", "in", "true", "false", "null"}
_TYPES: dict[Kind, Any] = {
    "text": rule_engine.DataType.STRING,
    "number": rule_engine.DataType.FLOAT,
    "truth": rule_engine.DataType.BOOLEAN,
}
_LANGUAGE = 'names, "texts", numbers, lists, == != < <= > >= in and or not + - * / % ??'
_MEANT = (
    ("=", "== to compare"),
    ("&", "and"),
    ("|", "or"),
    ("!", "not"),
    ("“", 'straight quotes, "…"'),
    ("”", 'straight quotes, "…"'),
    ("‘", 'straight quotes, "…"'),
)
"""What people write who know another language, and what this one has for it."""

Value = str | int | float | bool | None


class Expression:
    """One expression, compiled. Raises ExpressionError."""

    def __init__(self, text: str, words: Words) -> None:
        _check_tokens(text, words)
        types = {
            name: rule_engine.DataType.NULLABLE(_TYPES[word.kind])
            if word.null
            else _TYPES[word.kind]
            for name, word in words.items()
        }
        context = rule_engine.Context(
            type_resolver=types,
            resolver=rule_engine.resolve_item,
            mapping_attribute_lookup=False,
            default_timezone="utc",
        )
        try:
            self._rule = rule_engine.Rule(text, context=context)
            self._root: Any = self._rule.statement.expression
        except errors.EngineError as error:
            raise _worded(error) from None
        check_types(self._root)
        self.literals = tuple(literals(self._root))
        """(name, text): the texts that it compares a name with."""
        for name, text in self.literals:
            if (values := words[name].values) and text not in values:
                raise ExpressionError(f'{name} is never "{text}"', nearest(text, values))

    def value(self, facts: Mapping[str, Any]) -> Value:
        """Its value. Raises EvaluationError when it has none: a division by zero."""
        try:
            found = self._rule.evaluate(facts)
        except Exception as error:  # whatever the library does with odd facts, no event is lost
            raise EvaluationError(str(getattr(error, "message", error))) from None
        if isinstance(found, Decimal):
            whole = found.is_finite() and found == found.to_integral_value()
            return int(found) if whole else float(found)
        return cast(Value, found)

    @property
    def type(self) -> str:
        """Of its value, in rule-engine's words."""
        return cast(str, self._root.result_type.name)


class EvaluationError(ValueError):
    """An expression that has no value for these facts."""


class Condition(Expression):
    """An expression that is true or false."""

    def __init__(self, text: str, words: Words) -> None:
        super().__init__(text, words)
        if self.type == "NULLABLE":
            raise ExpressionError(
                "can be null", "compare it with true or false, e.g. online == false"
            )
        if self.type != "BOOLEAN":
            what = KINDS.get(self.type, self.type)
            raise ExpressionError(f"is {what}, not true or false", "a comparison, e.g. waiting > 5")

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Whether it is true. Raises EvaluationError."""
        return self.value(facts) is True


def _check_tokens(text: str, words: Words) -> None:
    if len(text) > MAX_LENGTH:
        raise ExpressionError("is too long", f"at most {MAX_LENGTH} characters")
    position = depth = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            wrong = text[position : position + 12].split()[0]
            right = next((right for sign, right in _MEANT if wrong.startswith(sign)), _LANGUAGE)
            raise ExpressionError(f"{wrong!r} is not part of the language", right)
        position = token.end()
        found = token.group()
        depth += (found in "([") - (found in ")]") if token["sign"] else 0
        if depth > MAX_DEPTH or text.count("not ") > MAX_DEPTH:
            raise ExpressionError("is nested too deeply", f"at most {MAX_DEPTH} levels")
        if (name := token["name"]) and name not in _WORDS and name not in words:
            if (meant := name.lower()) in _WORDS:
                raise ExpressionError(f"there is no {name} here", f"{meant}, in small letters")
            right = nearest(name, words)
            if not right.startswith("nearest"):
                right += f'; a text stands in quotes: "{name}"'
            raise ExpressionError(f"there is no {name} here", right)
        if token["name"] and (position < len(text) and text[position] in "\"'"):
            raise ExpressionError(f"{found} stands before a text", "an operator between the two")


def _worded(error: errors.EngineError) -> ExpressionError:
    message = str(getattr(error, "message", error))
    if "nullable" in message:
        return ExpressionError(
            "uses a value that can be null", "say what it is then, e.g. (queued_ms ?? 0) > 1000"
        )
    if isinstance(error, errors.SyntaxError):
        return ExpressionError(
            f"is not an expression: {message}", 'e.g. state == "serving" and serving_s > 300'
        )
    return ExpressionError(f"does not fit: {message}", "numbers with numbers, texts with texts")
