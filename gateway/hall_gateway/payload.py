"""JSON payloads into models, with one clear line for whatever is wrong.

Here: the size limit, parsing, and the wording of errors. Not here: the models (models.py).
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import NoReturn, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hall_gateway.models import CommandIdOnly, Identity
from hall_gateway.wire import one_line

MAX_PAYLOAD = 1024
"""Bytes of JSON in any one payload, as the device contract says."""
MAX_POISON = 16 * 1024
"""Bytes that are searched for the identity of an event that is too large to be taken."""

_MOST_FAULTS = 3

_SHAPES = bytes.maketrans(b"123456789EI", b"000000000eN")
_LONG = b"0" * 300

Model = TypeVar("Model", bound=BaseModel)


class PayloadError(ValueError):
    """What is wrong with a payload and what would be right, in one line."""


def parse(
    model: type[Model], payload: bytes, windows: Iterable[str] = (), limit: int = MAX_PAYLOAD
) -> Model:
    """`payload` (JSON, at most `limit` bytes; more is refused unparsed) as `model`.

    `windows` are the ids that an error about a window suggests. Raises PayloadError, also for a
    number that JSON cannot write again, in whatever field: NaN, Infinity, 1e999.
    """
    parsed = _read(model, payload, limit, windows)
    if _maybe_not_finite(payload):
        json.loads(payload.decode(), parse_constant=_not_finite, parse_float=_finite)
    return parsed


def _read(model: type[Model], payload: bytes, limit: int, windows: Iterable[str] = ()) -> Model:
    if len(payload) > limit:
        raise PayloadError(f"{len(payload)} bytes; a payload has at most {limit}")
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        raise PayloadError(_explain(error, model, windows)) from None


def parse_data(model: type[Model], data: Mapping[str, object]) -> Model:
    """The data of an event, which was parsed with the event. Raises PayloadError."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise PayloadError(_explain(error, model, ())) from None


def identity(payload: bytes) -> Identity | None:
    """Which event it is whose other fields may be wrong; None when it cannot be read."""
    try:
        return _read(Identity, payload, MAX_POISON)
    except PayloadError:
        return None


def command_id(payload: bytes, limit: int = MAX_PAYLOAD) -> str | None:
    """The id of a hall command of at most `limit` bytes, whose other fields may be wrong; None when
    it cannot be read."""
    try:
        return _read(CommandIdOnly, payload, limit).id
    except PayloadError:
        return None


def _maybe_not_finite(payload: bytes) -> bool:
    """Whether it has to be looked at: without NaN, Infinity, an exponent or a very long number it
    has no number that is not finite. Done for every event; a regular expression takes five times
    as long."""
    shape = payload.translate(_SHAPES)
    return b"N" in shape or b"0e" in shape or _LONG in shape


def _not_finite(number: str) -> NoReturn:
    raise PayloadError(f"not JSON: {number:.32} is no finite number")


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _not_finite(number)


def _explain(error: ValidationError, model: type[BaseModel], windows: Iterable[str]) -> str:
    """ "window: missing; give one of 1, 2" for each fault, at most three, on one line."""
    details = error.errors(include_url=False)
    lines: list[str] = []
    for detail in details:
        line = _fault(detail, model, ", ".join(windows) or "the hall's windows")
        if line not in lines:
            lines.append(line)
    more = f" (and {len(lines) - _MOST_FAULTS} more)" if len(lines) > _MOST_FAULTS else ""
    return " | ".join(lines[:_MOST_FAULTS]) + more


def _fault(detail: ErrorDetails, model: type[BaseModel], windows: str) -> str:
    kind, message = detail["type"], detail["msg"].removeprefix("Value error, ")
    if kind == "json_invalid":
        return f"not JSON: {message.removeprefix('Invalid JSON: ')}"
    if not detail["loc"]:
        return message if kind == "value_error" else "give a JSON object"
    path = [one_line(str(part)) for part in detail["loc"]]  # may be the sender's own
    if kind == "extra_forbidden":
        names = ", ".join(_names(model))
        return f"{path[0]}: unknown field; the fields are {names}"
    wrong = "missing" if kind == "missing" else f"{message[:1].lower()}{message[1:]}"
    right = _right(model, path).replace("{windows}", windows)
    where = ".".join(path[:1] if right else path)
    return f"{where}: {wrong}; give {right}" if right else f"{where}: {wrong}"


def _right(model: type[BaseModel], path: list[str]) -> str:
    """The description of the field that `path` leads to; "" when it has none."""
    for name, field in model.model_fields.items():
        if path[0] in (name, field.alias):
            return field.description or _described(field.annotation)
    return ""


def _described(annotation: object) -> str:
    """The description inside `Annotated[...] | None`."""
    for option in get_args(annotation):
        for extra in getattr(option, "__metadata__", ()):
            if isinstance(extra, FieldInfo) and extra.description:
                return extra.description
    return ""


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
