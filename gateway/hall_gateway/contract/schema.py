"""A model as JSON Schema for people and for other programs: one object, nothing referred to.

Here: pydantic's schema made plain. What comes out means the same in draft 07, which AsyncAPI takes,
and in 2020-12, which the schema files name. Not here: which schemas there are (topics.py).

Not everything that the gateway checks can be said in a schema: that a text is printable, that a
window is one of the hall's, that an id is new. The descriptions say it.
"""

from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from hall_gateway.contract.vocabulary import titled
from hall_gateway.state import Json

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_WORDS = ("title", "x-title", "x-unit", "description")
"""What is said of a value, beside what it may be."""
_ORDER = ("title", "x-title", "description", "type", "const", "enum", "x-unit")


class _Plain(GenerateJsonSchema):
    """Without the titles that pydantic makes of names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema_of(model: type[BaseModel], *, open: bool = True) -> Json:
    """The JSON Schema of `model`. `open`: also with fields that the model does not have, so that a
    receiver's check does not fail when a newer gateway or device tells more."""
    raw = model.model_json_schema(schema_generator=_Plain)
    schema = _named(_plain(raw, raw.get("$defs", {})))
    return _opened(schema) if open else schema


def closed(schema: Json) -> Json:
    """`schema` for whoever wants to know of every field that it does not have."""

    def close(part: Json) -> Json:
        fixed = "properties" in part and "additionalProperties" not in part
        return part | {"additionalProperties": False} if fixed else part

    return _everywhere(schema, close)


def ordered(schema: Json) -> Json:
    """`schema` with what is said of a value before what it may be."""

    def order(part: Json) -> Json:
        first = {name: part[name] for name in _ORDER if name in part}
        return first | part

    return _everywhere(schema, order)


def _opened(schema: Json) -> Json:
    def open_(part: Json) -> Json:
        if part.get("additionalProperties") is False:
            return {name: value for name, value in part.items() if name != "additionalProperties"}
        return part

    return _everywhere(schema, open_)


def _plain(schema: Json, definitions: Mapping[str, Json]) -> Json:
    """References put in, defaults and class names left out, and "or null" said in one place."""

    def plain(part: Json) -> Json:
        if "$ref" in part:
            name = str(part["$ref"]).removeprefix("#/$defs/")
            beside = {key: value for key, value in part.items() if key != "$ref"}
            part = {**_plain(definitions[name], definitions), **beside}
        unwanted = ("$defs", "default") if "x-title" in part else ("$defs", "default", "title")
        part = {name: value for name, value in part.items() if name not in unwanted}
        if "description" in part:
            text = str(part["description"]).replace("{windows}", "the hall's windows")
            part["description"] = " ".join(text.split())
        return _nullable(part)

    return _everywhere(schema, plain)


def _named(schema: Json) -> Json:
    """A field that has no title of its own gets the one of its name."""

    def name(part: Json) -> Json:
        fields = cast("dict[str, Json]", part.get("properties", {}))
        for field, said in fields.items():
            if "x-title" not in said:
                said.update(titled(field))
        return part

    return _everywhere(schema, name)


def _nullable(part: Json) -> Json:
    """`anyOf` X and null as one type with two names, which is how people read it."""
    options = cast("list[Json]", part.get("anyOf", []))
    others = [option for option in options if option != {"type": "null"}]
    if len(others) == len(options):
        return part
    if len(others) != 1:
        return part
    (value,) = others
    rest = {name: said for name, said in part.items() if name != "anyOf"}
    if not isinstance(value.get("type"), str):
        words = {name: value.pop(name) for name in _WORDS if name in value}
        return {**words, **rest, "anyOf": [value, {"type": "null"}]}
    merged = {**value, **rest, "type": [value["type"], "null"]}
    if "enum" in value:
        merged["enum"] = [*value["enum"], None]
    if "const" in value:
        merged["enum"] = [merged.pop("const"), None]
    if "description" in value and "description" in rest:
        merged["description"] = f"{value['description'].rstrip('.')}; {rest['description']}"
    return merged


def _everywhere(schema: Any, change: Any) -> Any:
    """`change` of each schema in `schema`, the inner ones first. `properties` is no schema, and
    `oneOf` holds conditions about an object that is described beside it."""
    if isinstance(schema, list):
        return [_everywhere(each, change) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    part = cast("Json", schema)
    result: Json = {}
    for name, value in part.items():
        if name in ("properties", "patternProperties"):
            fields = cast("dict[str, Any]", value)
            result[name] = {field: _everywhere(s, change) for field, s in fields.items()}
        elif name in ("anyOf", "allOf", "items", "additionalProperties", "prefixItems"):
            result[name] = _everywhere(value, change)
        else:
            result[name] = value
    return change(result)


def description_of(model: type[BaseModel]) -> str:
    """What the model says of itself, on one line."""
    return " ".join((model.__doc__ or "").split())
