"""JSON values as YAML, for people to read and for any parser: 1.1 and 1.2 read the same.

Here: block style, and quotes wherever a word could be taken for something else: to YAML 1.1 `on` is
true and `12:30` a number. Not here: reading YAML; a general writer leaves `on` as it is.

>>> print(dump({"on": [1, "no", {}], "zh": "票号"}), end="")
"on":
  - 1
  - "no"
  - {}
zh: "票号"
"""

import json
import re
from typing import Any

from hall_gateway.state import Json

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def dump(value: Json) -> str:
    """`value` as a YAML document, ending in a newline."""
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: Any) -> list[str]:
    found: list[str] = []
    match value:
        case {**fields} if fields:
            for key, inner in fields.items():
                lines = _lines(inner)
                if lines == [_scalar(inner)]:
                    found.append(f"{_scalar(key)}: {lines[0]}")
                else:
                    found += [f"{_scalar(key)}:", *(f"  {line}" for line in lines)]
        case [_, *_]:
            for inner in value:
                first, *rest = _lines(inner)
                found += [f"- {first}", *(f"  {line}" for line in rest)]
        case _:
            found.append(_scalar(value))
    return found


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
