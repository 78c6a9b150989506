"""What fits together in a rule's expression, beyond what rule-engine itself refuses.

Here: walking rule-engine's tree of an expression: its types, and which texts a name is compared
with. Not here: the language (rules_language.py), the names (rules_words.py).
"""

from collections.abc import Iterator
from typing import Any, cast

from rule_engine import ast  # pyright: ignore[reportMissingTypeStubs]

from hall_gateway.state import Json

KINDS = {"STRING": "a text", "FLOAT": "a number", "BOOLEAN": "true or false", "ARRAY": "a list"}
"""rule-engine's types in the words of who writes a rule."""


class ExpressionError(ValueError):
    """An expression that cannot be used: what is wrong, and `right` what would be."""

    def __init__(self, what: str, right: str) -> None:
        super().__init__(what)
        self.right = right


def check_types(root: Any) -> None:
    """Refuse what rule-engine lets pass and is a mistake all the same. Raises ExpressionError."""
    for node in _nodes(root):
        _check(node)


def literals(root: Any) -> Iterator[tuple[str, str]]:
    """(name, text) for each text that a name is compared with, or looked for in a list of."""
    for node in _nodes(root):
        if isinstance(node, ast.ComparisonExpression):
            sides = [node.left, node.right]
            names, others = sides, sides
        elif isinstance(node, ast.ContainsExpression):
            names, others = [node.member], list(getattr(node.container, "value", ()))
        else:
            continue
        for name in names:
            for other in others:
                if isinstance(name, ast.SymbolExpression) and isinstance(
                    other, ast.StringExpression
                ):
                    yield str(name.name), str(other.value)


def _nodes(node: Any) -> Iterator[Any]:
    """`node` and all below it, wherever rule-engine keeps them."""
    yield node
    kinds: tuple[type, ...] = type(node).__mro__
    names = [*(name for kind in kinds for name in _slots(kind)), *cast("Json", vars(node))]
    held: list[Any] = [getattr(node, name, None) for name in names]
    for below in held:
        for part in cast("list[Any]", below if isinstance(below, list | tuple) else [below]):
            if isinstance(part, ast.ExpressionBase):
                yield from _nodes(part)


def _slots(kind: type) -> tuple[str, ...]:
    slots = getattr(kind, "__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _check(node: Any) -> None:
    if isinstance(node, ast.LogicExpression):
        for side in (node.left, node.right):
            _truth(side, f"one side of {node.type}")
    elif isinstance(node, ast.UnaryExpression) and node.type.upper() == "NOT":
        _truth(node.right, "what stands behind not")
    elif isinstance(node, ast.ComparisonExpression) and node.type in ("eq", "ne"):
        left, right = _plain(node.left.result_type), _plain(node.right.result_type)
        if "NULL" not in (left, right) and left != right:
            raise ExpressionError(
                f"compares {KINDS.get(left, left)} with {KINDS.get(right, right)}",
                "the same kind of thing on both sides",
            )
    elif isinstance(node, ast.ContainsExpression):
        container: Any = node.container
        if container.result_type.name != "ARRAY":
            raise ExpressionError("in needs a list", 'e.g. business in ["收费", "缴费"]')
        inside, member = container.result_type.value_type.name, _plain(node.member.result_type)
        if inside != member:
            raise ExpressionError(
                f"looks for {KINDS.get(member, member)} in a list of other things",
                "a list of the same kind of thing",
            )


def _truth(node: Any, where: str) -> None:
    name = node.result_type.name
    if name == "NULLABLE":
        right = "compare it, e.g. online == false"
        raise ExpressionError(f"{where} can be null", right)
    if name != "BOOLEAN":
        right = "true or false there, e.g. a comparison"
        raise ExpressionError(f"{where} is {KINDS.get(name, name)}", right)


def _plain(type: Any) -> str:
    """The name of a type, whether it can be null or not."""
    return cast(str, type.inner_type.name if type.name == "NULLABLE" else type.name)
