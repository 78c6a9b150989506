"""A TOML text into a pydantic model, with every error in the words of the person who wrote it.

Here: reading and parsing, finding the line a key stands on, and turning pydantic's findings into
`file:line: key: what is wrong; what would be right`. The second half is the field's own
`description`, so a model that is read from TOML describes each field by what is right for it.
Not here: what the settings mean (config.py).
"""

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Loc = tuple[int | str, ...]
Model = TypeVar("Model", bound=BaseModel)

MOST = 100
"""Errors that are told of one file: looking for the lines of thousands takes minutes."""

SHOWN = 200
"""Characters of a value that is told in an error."""

_TABLE = re.compile(r"\s*(\[\[?)\s*([^\]\s]+)\s*\]")


class ConfigError(Exception):
    """A settings file that cannot be used; the text has one line for every error found."""


class ProblemsError(ValueError):
    """What a model's own checks found between fields: (place below that model, what is wrong)."""

    def __init__(self, found: Iterable[tuple[Loc, str]]) -> None:
        self.found = list(found)
        super().__init__("; ".join(text for _, text in self.found))


def read_toml(path: Path, model: type[Model], guide: str, *, secrets: bool = True) -> Model:
    """The settings in the file at `path`, as parse_toml reads them; `guide` is the page that shows
    what such a file looks like.

    Raises ConfigError, with one line for every error.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; see {guide}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    return parse_toml(text, model, path, secrets=secrets)


def parse_toml(text: str, model: type[Model], path: Path, *, secrets: bool = True) -> Model:
    """The settings in `text`, which was read from `path`; paths in it are relative to its folder.
    `secrets`: whether models read the files that they name and only one user may read.

    Raises ConfigError naming every error with file, line and key.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = f"{path}:{line.group(1)}" if line else str(path)
        raise ConfigError(f"{where}: not TOML: {error}") from None
    except (ValueError, RecursionError) as error:  # a number of 5000 digits, 1000 brackets
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(f"{path}: not TOML: {what}; give plain settings") from None
    try:
        context = {"folder": path.parent, "secrets": secrets}
        return model.model_validate(raw, context=context)
    except ValidationError as error:
        wrong = findings(error, model)
        found = sorted(
            (line_of(text, loc), f"{_dotted(loc)}: {message}") for loc, message in wrong[:MOST]
        )
        lines = [f"{path}:{line}: {what}" for line, what in found]
        if len(wrong) > MOST:
            lines.append(f"{path}: and {len(wrong) - MOST} more errors")
        raise ConfigError("\n".join(lines)) from None


def line_of(text: str, loc: Loc) -> int:
    """The line on which the setting at `loc` stands, or the nearest table above it that exists.

    `loc` is the way from the top: ("device", 2, "window") is key `window` of the third
    `[[device]]`. Inline tables resolve to the line they begin on; 1 when nothing matches.
    """
    best, depth = 1, 0
    table: Loc = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            name = header.group(2)
            table = tuple(part.strip("\"'") for part in name.split("."))
            if header.group(1) == "[[":
                counts[name] = counts.get(name, -1) + 1
                table = (*table, counts[name])
            here = table
        elif key := re.match(r"\s*([A-Za-z0-9_-]+|\"[^\"]+\"|'[^']+')\s*=", line):
            here = (*table, key.group(1).strip("\"'"))
        else:
            continue
        if len(here) > depth and loc[: len(here)] == here:
            best, depth = number, len(here)
    return best


def nearest(name: str, known: Iterable[str]) -> str:
    """`; nearest: "x"` for a misspelt name, or all the known ones when nothing is near."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f'nearest: "{close[0]}"'
    return "known: " + ", ".join(f'"{n}"' for n in names) if names else "none is known"


def findings(error: ValidationError, model: type[BaseModel]) -> list[tuple[Loc, str]]:
    """What pydantic found in a `model`: the place, and what is wrong and would be right."""
    found: list[tuple[Loc, str]] = []
    for detail in error.errors():
        problem = detail.get("ctx", {}).get("error")
        if isinstance(problem, ProblemsError):
            found += [(detail["loc"] + loc, text) for loc, text in problem.found]
        else:
            found.append((detail["loc"], _explain(detail, model)))
    return found


def _explain(detail: ErrorDetails, model: type[BaseModel]) -> str:
    *above, name = detail["loc"] or ("",)
    fields = _fields(_model_at(model, tuple(above)))
    if detail["type"] == "extra_forbidden":
        return f"unknown setting; {nearest(str(name), fields)}"
    right = fields.get(str(name), "")
    if detail["type"] == "missing":
        wrong = "is missing"
    elif detail["type"] == "value_error":
        wrong = detail["msg"].removeprefix("Value error, ")
    elif detail["type"] == "string_pattern_mismatch":
        wrong = f'"{str(detail["input"])[:SHOWN]}" will not do'
    else:
        message = detail["msg"]
        wrong = f"{message[0].lower()}{message[1:]}, not {_shown(detail['input'])}"
    return f"{wrong}; right would be: {right}" if right else wrong


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _fields(model: type[BaseModel] | None) -> dict[str, str]:
    """TOML names of a model's settings, and what is right for each."""
    if model is None:
        return {}
    return {
        field.alias or name: field.description or "" for name, field in model.model_fields.items()
    }


def _model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    for part in loc:
        if isinstance(part, int):
            continue
        field = next((f for name, f in model.model_fields.items() if part in (name, f.alias)), None)
        inner = _inner_model(field.annotation) if field else None
        if inner is None:
            return None
        model = inner
    return model


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    """The model in `Model`, `Model | None` or `tuple[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if inner := _inner_model(argument):
            return inner
    return None


def _dotted(loc: Loc) -> str:
    """("device", 2, "window") as `device[3].window`: people count tables from 1."""
    text = ""
    for part in loc:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "file"
