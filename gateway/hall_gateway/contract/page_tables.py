"""A JSON Schema as a Markdown table: a row a field, with its name, title, range and meaning.

Here: what is said of a field in few words. Not here: which schemas are shown (page.py).
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from hall_gateway.state import Json


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def field_table(schema: Json) -> str:
    """The fields of an object, or of each of several that it can be; else what it may be."""
    options = _objects(schema)
    if not options:
        return f"It is {_range(schema)}.\n"
    several = len(options) > 1
    parts: list[str] = []
    for option in options:
        if several:
            parts.append(f"One of these: {option.get('description', _constants(option))}\n")
        rows = list(_rows(option, ""))
        parts.append(table(("field", "名称", "title", "value", "meaning"), map(_cells, rows)))
    return "\n".join(parts)


def anchor(heading: str) -> str:
    """The fragment that GitHub gives a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def cell(text: str) -> str:
    """`text` within a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _objects(schema: Json) -> list[Json]:
    if "properties" in schema:
        return [schema]
    options = cast("list[Json]", schema.get("anyOf", []))
    return [each for option in options for each in _objects(option)]


def _constants(schema: Json) -> str:
    fields = cast("dict[str, Json]", schema["properties"])
    fixed = [f"`{name}` {field['const']}" for name, field in fields.items() if "const" in field]
    return ", ".join(fixed) or ", ".join(f"`{name}`" for name in fields)


def _rows(schema: Json, prefix: str) -> Iterator[tuple[str, Json, bool]]:
    """(dotted name, schema, whether it may be left out) of each field, an object's after it."""
    needed = cast("list[str]", schema.get("required", []))
    for name, field in cast("dict[str, Json]", schema["properties"]).items():
        path = f"{prefix}{name}"
        yield path, field, name not in needed
        inner, step = field, "."
        if isinstance(field.get("items"), dict):
            inner, step = cast("Json", field["items"]), "[]."
        elif isinstance(field.get("additionalProperties"), dict):
            inner, step = cast("Json", field["additionalProperties"]), ".*."
        objects = _objects(inner)
        if len(objects) == 1:
            yield from _rows(objects[0], path + step)


def _cells(row: tuple[str, Json, bool]) -> tuple[str, str, str, str, str]:
    path, field, optional = row
    title = cast("dict[str, str]", field.get("x-title", {}))
    value = _range(field) + (", may be missing" if optional else "")
    return (
        f"`{path}`",
        cell(title.get("zh", "")),
        cell(title.get("en", "")),
        cell(value),
        cell(_meaning(field)),
    )


def _meaning(field: Json) -> str:
    """The description, without a range that stands beside it anyway."""
    said = str(field.get("description", ""))
    spoken = f"{field.get('minimum')} to {field.get('maximum')}"
    return said.removeprefix(spoken).removeprefix("; ") if said.startswith(spoken) else said


def _range(schema: Json) -> str:
    """What a value may be, in few words: `integer 1 to 5`, `one of card, pin`, `text, 1 to 8`."""
    if "const" in schema:
        return f"`{_json(schema['const'])}`"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{_json(each)}`" for each in schema["enum"])
    if "anyOf" in schema:
        words = [_range(option) for option in cast("list[Json]", schema["anyOf"])]
        return " or ".join(dict.fromkeys(words))
    types = schema.get("type", "anything")
    names = [types] if isinstance(types, str) else cast("list[str]", types)
    return " or ".join(_of_type(name, schema) for name in names)


def _of_type(name: str, schema: Json) -> str:
    low, high = schema.get("minimum"), schema.get("maximum", schema.get("exclusiveMaximum"))
    unit = f" {schema['x-unit']}" if "x-unit" in schema else ""
    match name:
        case "integer" | "number":
            if low is not None and high is not None:
                return f"{name} {low} to {high}{unit}"
            return f"{name}{'' if low is None else f' from {low}'}{unit}"
        case "string":
            if schema.get("format") == "date-time":
                return "time, RFC 3339 in UTC with ms"
            if "maxLength" in schema:
                return f"text, {schema.get('minLength', 0)} to {schema['maxLength']} characters"
            return "text"
        case "array":
            items = cast("Json", schema.get("items", {}))
            most = f" of at most {schema['maxItems']}" if "maxItems" in schema else ""
            return f"array{most}" + ("" if _objects(items) else f", each {_range(items)}")
        case "object":
            values = schema.get("additionalProperties")
            if isinstance(values, dict) and not _objects(cast("Json", values)):
                return f"object, each {_range(cast('Json', values))}"
            return "object"
        case _:
            return name


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
