"""The expressions of rules: checked when they are loaded, then evaluated on what is known.

Here: which part of rule-engine's language a rule may use, its types, and its errors in words. Not
here: the names (rules_words.py), which rule has which expression (rules_file.py).

What is allowed: names, texts, numbers, true, false, null, lists; == != < <= > >=, in, and, or, not;
+ - * / %; ?? (a value in place of null). No attribute, no call, no pattern, no power: an expression
ends after as many steps as it has words, and sees nothing but the names it is given.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

import rule_engine  # pyright: ignore[reportMissingTypeStubs]
from rule_engine import ast, errors  # pyright: ignore[reportMissingTypeStubs]

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
_KINDS = {"STRING": "a text", "FLOAT": "a number", "BOOLEAN": "true or false", "ARRAY": "a list"}

Value = str | int | float | bool | None


class ExpressionError(ValueError):
    """An expression that cannot be used: what is wrong, and `right` what would be."""

    def __init__(self, what: str, right: str) -> None:
        super().__init__(what)
        self.right = right


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
        for node in _nodes(self._root):
            _check_types(node)

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
            what = _KINDS.get(self.type, self.type)
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
            raise ExpressionError(
                f"{text[position : position + 12].split()[0]!r} is not part of the language",
                'names, "texts", numbers, lists, == != < <= > >= in and or not + - * / % ??',
            )
        position = token.end()
        found = token.group()
        depth += (found in "([") - (found in ")]") if token["sign"] else 0
        if depth > MAX_DEPTH or text.count("not ") > MAX_DEPTH:
            raise ExpressionError("is nested too deeply", f"at most {MAX_DEPTH} levels")
        if (name := token["name"]) and name not in _WORDS and name not in words:
            raise ExpressionError(f"there is no {name} here", nearest(name, words))
        if token["name"] and (position < len(text) and text[position] in "\"'"):
            raise ExpressionError(f"{found} stands before a text", "an operator between the two")


def _nodes(node: Any) -> Iterator[Any]:
    """`node` and all below it."""
    yield node
    for each in dict.fromkeys(slot for kind in type(node).__mro__ for slot in _slots(kind)):
        below = getattr(node, each, None)
        parts = cast("tuple[Any, ...]", below) if isinstance(below, tuple) else (below,)
        for part in parts:
            if isinstance(part, ast.ExpressionBase):
                yield from _nodes(part)


def _slots(kind: type) -> tuple[str, ...]:
    slots = getattr(kind, "__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _check_types(node: Any) -> None:
    """What rule-engine lets pass and is a mistake all the same."""
    if isinstance(node, ast.LogicExpression):
        for side in (node.left, node.right):
            if (name := side.result_type.name) != "BOOLEAN":
                null = name == "NULLABLE"
                what = "can be null" if null else f"is {_KINDS.get(name, name)}"
                raise ExpressionError(
                    f"one side of {node.type} {what}", "true or false on both sides of and, or"
                )
    elif isinstance(node, ast.UnaryExpression) and node.type.upper() == "NOT":
        if (name := node.right.result_type.name) != "BOOLEAN":
            what = "can be null" if name == "NULLABLE" else f"is {_KINDS.get(name, name)}"
            raise ExpressionError(f"what stands behind not {what}", "true or false behind not")
    elif isinstance(node, ast.ComparisonExpression) and node.type in ("eq", "ne"):
        left, right = _plain(node.left.result_type), _plain(node.right.result_type)
        if "NULL" not in (left, right) and left != right:
            raise ExpressionError(
                f"compares {_KINDS.get(left, left)} with {_KINDS.get(right, right)}",
                "the same kind of thing on both sides",
            )
    elif isinstance(node, ast.ContainsExpression):
        container: Any = node.container
        if container.result_type.name != "ARRAY":
            raise ExpressionError("in needs a list", 'e.g. business in ["收费", "缴费"]')
        inside, member = container.result_type.value_type.name, _plain(node.member.result_type)
        if inside not in (member, "UNDEFINED") or inside == "UNDEFINED":
            raise ExpressionError(
                f"looks for {_KINDS.get(member, member)} in a list of other things",
                "a list of the same kind of thing",
            )


def _plain(type: Any) -> str:
    """The name of a type, whether it can be null or not."""
    return cast(str, type.inner_type.name if type.name == "NULLABLE" else type.name)


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
