"""The texts of rules: {name} stands for what is known of the place that a rule is about.

Here: finding the names, and filling them in. Not here: which names there are (rules_words.py).
"""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def names_in(text: str) -> list[str]:
    """The names in braces."""
    return _PLACEHOLDER.findall(text)


def unclosed(text: str) -> bool:
    """Whether there is a brace that is not one of a pair."""
    rest = _PLACEHOLDER.sub("", text)
    return "{" in rest or "}" in rest


def filled(text: str, facts: Mapping[str, Any]) -> str:
    """`text` with the values in place of {name}; - for null."""

    def value(found: re.Match[str]) -> str:
        held = facts.get(found[1])
        if isinstance(held, float) and isfinite(held):
            held = round(held)
        return "-" if held is None else str(held)

    return _PLACEHOLDER.sub(value, text)
