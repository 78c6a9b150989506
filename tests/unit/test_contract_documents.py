"""The contract's documents: up to date, valid by their own standards, and complete."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.contract import EVENTS, build, yaml_text
from hall_gateway.contract.asyncapi import document
from hall_gateway.contract.device_side import device_side
from hall_gateway.contract.hall_side import hall_side
from hall_gateway.contract.page_tables import anchor
from hall_gateway.contract.schema import closed
from hall_gateway.models import COMMANDS, KINDS
from hall_tools.commands.contract import app
from hypothesis import given, settings
from hypothesis import strategies as some
from jsonschema import Draft7Validator, Draft202012Validator
from ruamel.yaml import YAML
from typer.testing import CliRunner

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "docs" / "reference" / "contract"
OFFICIAL = REPOSITORY / "tests" / "support" / "asyncapi" / "asyncapi-3.0.0.json"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return build.files()


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    examples = build.recorded()
    return [document(side, examples) for side in (hall_side(), device_side())]


def schemas(files: dict[str, bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, content in files.items():
        if path.startswith("schemas/"):
            yield path, json.loads(content)


def test_the_committed_documents_are_what_the_code_says(files: dict[str, bytes]) -> None:
    assert list(build.stale(FOLDER, files)) == [], "run: hall contract build"


def test_the_documents_are_asyncapi(documents: list[dict[str, Any]]) -> None:
    official = Draft7Validator(json.loads(OFFICIAL.read_text(encoding="utf-8")))
    for made in documents:
        assert [error.message for error in official.iter_errors(made)] == []
        broken = copy.deepcopy(made)
        next(iter(broken["operations"].values()))["action"] = "publish"
        assert not official.is_valid(broken), "this validator finds nothing"


def test_every_reference_in_the_documents_leads_somewhere(documents: list[dict[str, Any]]) -> None:
    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            for name, value in part.items():
                if name == "$ref":
                    yield value
                else:
                    yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    for made in documents:
        found = set(references(made))
        assert len(found) > 20
        for reference in found:
            place: Any = made
            for step in reference.removeprefix("#/").split("/"):
                place = place[step]


def test_the_documents_have_every_type_command_and_kind(documents: list[dict[str, Any]]) -> None:
    hall, devices = documents
    for name in EVENTS:
        assert hall["operations"][f"send.{name}"]["action"] == "send"
    for name in COMMANDS:
        operation = hall["operations"][f"receive.command.{name}"]
        assert operation["action"] == "receive"
        replies = {each["$ref"].rsplit("/", 1)[1] for each in operation["reply"]["messages"]}
        assert len(replies) == 2
        assert "reply_failed" in replies
    kinds = {kind for each in KINDS.values() for kind in each}
    events = devices["channels"]["up.event"]["messages"]
    assert events.keys() == {f"up_event_{kind}" for kind in kinds}
    retained = {"state", "state.gateway", "online", "up.state", "up.online", "down.desired"}
    for made in documents:
        for name, operation in made["operations"].items():
            if "mqtt" in operation.get("bindings", ()):
                mqtt = operation["bindings"]["mqtt"]
                wanted = name.partition(".")[2] in retained
                assert (mqtt["qos"], mqtt["retain"]) == (1, wanted), name


def test_every_schema_is_one_and_its_examples_fit(files: dict[str, bytes]) -> None:
    for path, schema in schemas(files):
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(closed(schema))
        for example in schema.get("examples", ()):
            assert [error.message for error in validator.iter_errors(example)] == [], path


def test_every_field_has_a_title_in_both_languages(files: dict[str, bytes]) -> None:
    def nameless(part: Any, path: str) -> Iterator[str]:
        if isinstance(part, dict):
            for name, field in part.get("properties", {}).items():
                if not {"zh", "en"} <= field.get("x-title", {}).keys():
                    yield f"{path}.{name}"
            for name, value in part.items():
                if name not in ("examples", "oneOf"):  # which holds conditions
                    yield from nameless(value, f"{path}.{name}")
        elif isinstance(part, list):
            for value in part:
                yield from nameless(value, path)

    for path, schema in schemas(files):
        if not path.startswith("schemas/profiles/"):
            assert list(nameless(schema, "")) == [], path


def test_every_link_of_the_page_leads_somewhere(files: dict[str, bytes]) -> None:
    text = files["contract.md"].decode()
    anchors = {anchor(line.lstrip("#")) for line in text.splitlines() if line.startswith("#")}
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert len(anchors) == len(headings), "two headings with one anchor"
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert len(targets) > 100
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert (FOLDER / target.partition("#")[0]).exists(), target


def test_build_writes_what_differs_and_removes_what_is_left_over(tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["build", str(tmp_path), *arguments])
        return result.exit_code, result.output

    code, output = run("--json")
    assert code == 0
    assert "contract.md" in json.loads(output)["changed"]
    assert run("--check") == (0, "")
    (tmp_path / "schemas" / "hall.gone.json").write_text("{}", encoding="utf-8")
    (tmp_path / "schemas" / "online.json").write_text("{}", encoding="utf-8")
    code, output = run("--check")
    assert code == 65
    assert output.splitlines() == [
        f"{tmp_path}/schemas/online.json: not up to date",
        f"{tmp_path}/schemas/hall.gone.json: not up to date",
        "write them anew with: hall contract build",
    ]
    assert json.loads(run("--json")[1])["changed"] == [
        "schemas/online.json",
        "schemas/hall.gone.json",
    ]
    assert not (tmp_path / "schemas" / "hall.gone.json").exists()


_SCALARS = some.none() | some.booleans() | some.integers() | some.text(max_size=8)
_VALUES = some.recursive(
    _SCALARS | some.sampled_from(["on", "No", "12:30", "1e3", "- a", "a: b", "#", "~", "null"]),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(
            some.text(max_size=4) | some.sampled_from(["on", "y"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(some.dictionaries(some.text(max_size=4), _VALUES, max_size=3))
def test_yaml_of_both_versions_reads_what_was_written(value: dict[str, Any]) -> None:
    text = yaml_text.dump(value)
    for version in ((1, 1), (1, 2)):
        reader = YAML(typ="safe", pure=True)
        reader.version = version
        assert reader.load(text) == value
