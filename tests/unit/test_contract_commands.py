"""The gateway takes and refuses commands as their published schemas say, where a schema can say it.

What no schema can say is left to other tests: that a window is of this hall, that a text has only
printable characters, that an id is new, and that 1.0 is no integer in the gateway's eyes.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.contract.schema import closed
from hall_gateway.models import COMMANDS
from hall_gateway.payload import MAX_PAYLOAD, PayloadError, parse
from hypothesis import assume, given, settings
from hypothesis import strategies as some
from jsonschema import Draft202012Validator
from support.core_hall import open_hall

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "contract" / "schemas"
LETTERS = "aB3-号é"


def schema(name: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


def fitting(part: dict[str, Any]) -> some.SearchStrategy[Any]:
    """Values that a schema of ours allows, its edges included."""
    if "enum" in part:
        return some.sampled_from(part["enum"])
    if "const" in part:
        return some.just(part["const"])
    if "anyOf" in part:
        return some.one_of([fitting(option) for option in part["anyOf"]])
    types = part.get("type")
    if isinstance(types, list):
        return some.one_of([fitting({**part, "type": each}) for each in types])
    if types == "integer":
        low, high = part["minimum"], part["maximum"]
        return some.sampled_from([low, high]) | some.integers(low, high)
    if types == "string":
        if "pattern" in part:
            return some.from_regex(
                part["pattern"], fullmatch=True, alphabet=some.characters(codec="ascii")
            )
        return some.text(LETTERS, min_size=part.get("minLength", 0), max_size=part["maxLength"])
    if types == "object":
        return fields(part)
    return {"null": some.none(), "boolean": some.booleans()}[str(types)]


def fields(part: dict[str, Any]) -> some.SearchStrategy[dict[str, Any]]:
    """An object; of several conditions of which one must hold, each in turn, and it alone."""
    options = [option["required"] for option in part.get("oneOf", [{"required": []}])]
    conditional = {name for option in options for name in option}
    return some.one_of([_fields(part, set(option), conditional) for option in options])


def _fields(
    part: dict[str, Any], condition: set[str], conditional: set[str]
) -> some.SearchStrategy[dict[str, Any]]:
    known = {
        name: fitting({**field, "type": "string"} if name in condition else field)
        for name, field in part.get("properties", {}).items()
        if name in condition or name not in conditional
    }
    needed = {*part.get("required", []), *condition}
    return some.fixed_dictionaries(
        {name: value for name, value in known.items() if name in needed},
        optional={name: value for name, value in known.items() if name not in needed},
    )


ANYTHING = some.recursive(
    some.none() | some.booleans() | some.integers(-2, 2**33) | some.text(LETTERS, max_size=70),
    lambda inner: (
        some.lists(inner, max_size=2) | some.dictionaries(some.text("ab"), inner, max_size=2)
    ),
    max_leaves=4,
)


@some.composite
def spoilt(draw: some.DrawFn, part: dict[str, Any]) -> dict[str, Any]:
    """A command with one field taken away, changed, or added."""
    command = draw(fields(part))
    name = draw(some.sampled_from([*part["properties"], "windows", "Ticket"]))
    if name in command and draw(some.booleans()):
        return {other: value for other, value in command.items() if other != name}
    return {**command, name: draw(ANYTHING)}


def taken(name: str, command: object) -> bool:
    try:
        parse(COMMANDS[name], json.dumps(command, ensure_ascii=False).encode())
    except PayloadError:
        return False
    return True


@pytest.mark.parametrize("name", COMMANDS)
def test_what_the_schema_says_is_what_the_gateway_does(name: str) -> None:
    part = schema(f"command.{name}")
    validator = Draft202012Validator(part)
    verdicts = {True: 0, False: 0}

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(fields(part) | spoilt(part))
    def agree(command: dict[str, Any]) -> None:
        assume(len(json.dumps(command, ensure_ascii=False).encode()) <= MAX_PAYLOAD)
        fits = validator.is_valid(command)
        verdicts[fits] += 1
        assert taken(name, command) is fits, command

    agree()
    assert min(verdicts.values()) >= 10, verdicts


async def test_every_answer_is_one_that_the_contract_has(tmp_path: Path) -> None:
    """Through the whole core, whatever state the windows are in by then."""
    failed = Draft202012Validator(schema("reply.failed"))
    outcomes: Counter[str] = Counter()
    async with open_hall(tmp_path) as hall:
        for number, (name, command) in enumerate(every_command()):
            part = Draft202012Validator(schema(f"command.{name}"))
            here = {**command, "id": f"c-{number}"}
            reply = await hall.core.command(name, json.dumps(here).encode())
            if reply is None:
                assert name == "device"
                assert part.is_valid(here)
                outcomes["asked its device"] += 1
                continue
            body = json.loads(reply.body)
            assert body["id"] == here["id"]
            if body["ok"]:
                assert part.is_valid(here)
                kind = {"take": "ticket", "cancel": "ticket", "show": "show"}.get(name, "window")
                Draft202012Validator(closed(schema(f"reply.{kind}"))).validate(body)
                outcomes[f"done {kind}"] += 1
            else:
                assert failed.is_valid(body)
                outcomes["refused"] += 1
    assert min(outcomes[f"done {kind}"] for kind in ("window", "ticket", "show")) > 0, outcomes
    assert outcomes["refused"] > 0
    assert outcomes["asked its device"] > 0


def every_command() -> list[tuple[str, dict[str, Any]]]:
    """Some of each, at places that this hall has, in an order that a day could have."""
    found: list[tuple[str, dict[str, Any]]] = []

    @settings(max_examples=8, deadline=None, derandomize=True, database=None)
    @given(some.data())
    def collect(data: some.DataObject) -> None:
        for name in COMMANDS:
            part = schema(f"command.{name}")
            command = data.draw(fields(part) | spoilt(part))
            places = {"window": "1", "to": "2", "device": "disp-1"}
            found.append((name, {key: places.get(key, value) for key, value in command.items()}))

    collect()
    return found
