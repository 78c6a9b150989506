"""One section of a profile against its pydantic model, with the findings in plain words.

Here: how a ValidationError reads in a profile's own terms: the value that is there, and what would
be right, which is the `description` of the model's field. Not here: rules between sections.
"""

import difflib
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar, get_args

from hall_profiles.source import FieldPath, Source, Value
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)


def checked(
    source: Source,
    model: type[Model],
    data: Value,
    path: FieldPath,
    *,
    missing_noted: bool = False,
) -> Model | None:
    """`data`, which stands at `path`, as a `model`; None when it is none, then `source` says why.

    `missing_noted`: `source` knows already which fields lack at `path` itself.
    """
    if mapping(source, data, path, model.model_fields) is None:
        return None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors()
        if missing_noted:
            details = [d for d in details if d["type"] != "missing" or len(d["loc"]) > 1]
        _explain(source, model, path, details)
        return None


def mapping(
    source: Source, data: Value, path: FieldPath, fields: Iterable[str]
) -> dict[str, Value] | None:
    """`data` when it has fields at all; if not, None, and `source` says which it should have."""
    if isinstance(data, dict):
        return data
    names = ", ".join(fields)
    right = f"fields: {names}" if names else "fields, {} when there are none"
    source.add(path, f"is {show(data)}", right)
    return None


def compare_names(
    source: Source,
    path: FieldPath,
    there: Iterable[str],
    known: Collection[str],
    unknown: str,
    missing: Callable[[str], str],
    *,
    optional: Collection[str] = (),
) -> None:
    """Notes names at `path` that are not known, and known names that are not there.

    `unknown` says what such a name is not; `missing` what would be right for a name that lacks.
    `optional` names may lack. A name that is nearly one that lacks is one mistake, noted once.
    """
    names = list(there)
    left = [name for name in known if name not in names]
    free = [name for name in optional if name not in names]
    guessed: set[str] = set()
    for name in names:
        if name not in known and name not in optional:
            near = difflib.get_close_matches(name, [*left, *free], n=1)
            guessed.update(near)
            source.add((*path, name), unknown, suggest(name, near or left))
    for name in left:
        if name not in guessed:
            source.add((*path, name), "is missing", missing(name))


def suggest(name: str, known: Iterable[str]) -> str:
    """What would be right instead of a name that is not known: the nearest, or all there are."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"one of {', '.join(names)}" if names else "leave it out"


def show(value: object) -> str:
    """A value from the file, short enough for a line."""
    if value is None:
        return "empty"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else text[:37] + "..."


def _explain(
    source: Source, model: type[BaseModel], path: FieldPath, details: list[ErrorDetails]
) -> None:
    guessed: set[FieldPath] = set()
    for detail in sorted(details, key=lambda detail: detail["type"] != "extra_forbidden"):
        loc = detail["loc"]
        names = [part for part in loc if isinstance(part, str)]
        fields = _owner(model, names).model_fields
        here = (*path, *loc)
        if detail["type"] == "extra_forbidden":
            left = [name for name in fields if (*loc[:-1], name) in _missing(details)]
            left = left or list(fields)
            guessed.update(
                (*path, *loc[:-1], near) for near in difflib.get_close_matches(names[-1], left, n=1)
            )
            source.add(here, "is not a field here", suggest(names[-1], left))
        elif detail["type"] != "missing":
            source.add(here, f"is {show(detail['input'])}", fields[names[-1]].description or "")
        elif here not in guessed:
            source.add(here, "is missing", fields[names[-1]].description or "")


def _missing(details: list[ErrorDetails]) -> set[FieldPath]:
    return {detail["loc"] for detail in details if detail["type"] == "missing"}


def _owner(model: type[BaseModel], names: list[str]) -> type[BaseModel]:
    """The model that has the last of `names` as a field."""
    for name in names[:-1]:
        model = next(_models(model.model_fields[name].annotation), model)
    return model


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """The models in an annotation, such as list[Title] | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
