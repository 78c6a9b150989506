"""The fields of a payload: events, desired state, what a device shows.

Here: the types a field can have, how a value is checked, how long its JSON can get. Not here: which
fields a role has (`roles`), and the payloads themselves (`payloads`).

There is no floating-point type: an ESP32 has single precision only, so devices report integers in
a unit that is small enough.
"""

import json
from typing import Annotated, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field

Unit = Literal["ms", "s", "min", "h", "ohm", "kohm", "mm", "%", "Hz", "samples"]
UNITS: tuple[Unit, ...] = get_args(Unit)

#: A field's or a setting's name may say its unit; then the unit must be that one.
SUFFIX_UNITS: dict[str, Unit] = {
    "_ms": "ms", "_s": "s", "_min": "min", "_h": "h",
    "ohms": "ohm", "_mm": "mm", "_hz": "Hz", "_percent": "%",
}  # fmt: skip

#: UTF-8 needs at most four bytes for a character; the escapes of `"` and `\` need two.
_BYTES_PER_CHARACTER = 4


class Strict(BaseModel):
    """The base of all models here: no coercion, no unknown field, no change after loading."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Title(Strict):
    """What people call it: `zh` for clerks and hall managers, `en` beside it."""

    zh: str = Field(min_length=1, max_length=60, description="the Chinese title")
    en: str = Field(min_length=1, max_length=80, description="the English title")


class _DataField(Strict):
    nullable: bool = Field(default=False, description="true when the value may be null")
    optional: bool = Field(default=False, description="true when the field may be left out")
    title: Title | None = Field(default=None, description="a title with zh and en")


class IntegerField(_DataField):
    """A whole number from `min` to `max`, both included, in `unit` if it has one."""

    type: Literal["integer"] = Field(description="integer")
    min: int = Field(description="the smallest legal value, an integer")
    max: int = Field(description="the largest legal value, an integer")
    unit: Unit | None = Field(default=None, description=f"one of {', '.join(UNITS)}")

    def legal(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"an integer from {self.min} to {self.max}{unit}"

    def accepts(self, value: object) -> bool:
        return type(value) is int and self.min <= value <= self.max

    def widest(self) -> str:
        return max(str(self.min), str(self.max), key=len)


class StringField(_DataField):
    """Text: one of `enum`, or `min_chars` to `max_chars` printable characters."""

    type: Literal["string"] = Field(description="string")
    enum: list[str] | None = Field(
        default=None, min_length=1, description="the list of legal words"
    )
    min_chars: int = Field(default=1, ge=0, le=256, description="the shortest legal text")
    max_chars: int | None = Field(default=None, ge=1, le=256, description="the longest legal text")

    def legal(self) -> str:
        if self.enum is not None:
            return f"one of {', '.join(self.enum)}"
        return f"{self.min_chars} to {self.max_chars} printable characters"

    def accepts(self, value: object) -> bool:
        if not isinstance(value, str):
            return False
        if self.enum is not None:
            return value in self.enum
        return self.min_chars <= len(value) <= (self.max_chars or 0) and value.isprintable()

    def widest(self) -> str:
        if self.enum is not None:
            return json.dumps(max(self.enum, key=lambda word: len(word.encode())))
        return '"' + "?" * (_BYTES_PER_CHARACTER * (self.max_chars or 0)) + '"'


class BooleanField(_DataField):
    """`true` or `false`."""

    type: Literal["boolean"] = Field(description="boolean")

    def legal(self) -> str:
        return "true or false"

    def accepts(self, value: object) -> bool:
        return isinstance(value, bool)

    def widest(self) -> str:
        return "false"


class ObjectField(_DataField):
    """An object with fields of its own."""

    type: Literal["object"] = Field(description="object")
    fields: "dict[str, DataField]" = Field(description="the object's own fields")

    def legal(self) -> str:
        return f"an object with {', '.join(self.fields)}"

    def accepts(self, value: object) -> bool:
        return isinstance(value, dict)

    def widest(self) -> str:
        return widest(self.fields)


class ArrayField(_DataField):
    """A list of at most `max_items` integers."""

    type: Literal["array"] = Field(description="array")
    max_items: int = Field(ge=1, le=64, description="the longest legal list, an integer to 64")
    items: IntegerField = Field(description="an item: {type: integer, min: ..., max: ...}")

    def legal(self) -> str:
        return f"a list of at most {self.max_items}, each {self.items.legal()}"

    def accepts(self, value: object) -> bool:
        if not isinstance(value, list):
            return False
        items = cast("list[object]", value)
        return len(items) <= self.max_items and all(self.items.accepts(item) for item in items)

    def widest(self) -> str:
        return "[" + ",".join([self.items.widest()] * self.max_items) + "]"


DataField = Annotated[
    IntegerField | StringField | BooleanField | ObjectField | ArrayField,
    Field(discriminator="type"),
]
ObjectField.model_rebuild()


#: The model of each word that a field's `type` can be.
FIELD_TYPES: dict[
    str, type[IntegerField | StringField | BooleanField | ObjectField | ArrayField]
] = {
    "integer": IntegerField,
    "string": StringField,
    "boolean": BooleanField,
    "object": ObjectField,
    "array": ArrayField,
}


def mismatch(
    fields: dict[str, DataField], data: object, where: str = "", *, closed: bool = True
) -> str | None:
    """What is wrong with `data` and what would be right, in one line; None when nothing is.

    `closed`: a field that is not known is wrong too.
    """
    if not isinstance(data, dict):
        return f"{where or 'data'} is not an object; right: an object with {_names(fields)}"
    values = cast("dict[str, object]", data)
    for name, field in fields.items():
        path = f"{where}.{name}" if where else name
        if name not in values:
            if field.optional:
                continue
            return f"{path} is missing; right: {_legal(field)}"
        value = values[name]
        if value is None and field.nullable:
            continue
        if not field.accepts(value):
            return f"{path} is {_short(value)}; right: {_legal(field)}"
        if isinstance(field, ObjectField):
            inner = mismatch(field.fields, value, path, closed=closed)
            if inner:
                return inner
    for name in values if closed else ():
        if name not in fields:
            path = f"{where}.{name}" if where else str(name)
            return f"{path} is not a field here; right: only {_names(fields)}"
    return None


def widest(fields: dict[str, DataField]) -> str:
    """The longest compact JSON text, in bytes of UTF-8, that legal data can have."""
    parts: list[str] = []
    for name, field in fields.items():
        text = field.widest()
        if field.nullable and len(text) < len("null"):
            text = "null"
        parts.append(f'"{name}":{text}')
    return "{" + ",".join(parts) + "}"


def _legal(field: DataField) -> str:
    return field.legal() + (" or null" if field.nullable else "")


def _names(fields: dict[str, DataField]) -> str:
    return ", ".join(fields) or "no fields"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else text[:37] + "..."
