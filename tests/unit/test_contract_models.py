"""Every CloudEvent type that the code names has a model in the contract, none has one in vain."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import hall_gateway
import pytest
from hall_gateway.contract import EVENTS
from hall_gateway.contract.devices import DeviceFault
from hall_gateway.state import Emit
from support.contract import fault_of

GATEWAY = Path(hall_gateway.__file__).parent
TYPE = re.compile(r"hall\.[a-z]+\.[a-z_]+")


def named(tree: ast.AST) -> Iterator[str]:
    """The types that a module names, each as a pattern: "hall.floor.[a-z_]+" of an f-string."""
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.JoinedStr):
            for part in node.values:
                text += str(part.value) if isinstance(part, ast.Constant) else "\0"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        if TYPE.fullmatch(text.replace("\0", "x")) and not text.endswith("."):
            yield re.escape(text).replace("\0", "[a-z_]+")


def test_every_type_that_the_code_names_is_registered_and_every_registered_one_is_named() -> None:
    found: dict[str, set[str]] = {}
    for path in GATEWAY.rglob("*.py"):
        if "contract" not in path.relative_to(GATEWAY).parts:
            for pattern in named(ast.parse(path.read_text(encoding="utf-8"))):
                found.setdefault(pattern, set()).add(path.name)
    unknown = {p: names for p, names in found.items() if not any_of(p)}
    assert not unknown, "name a type that hall_gateway/contract does not have"
    in_vain = [name for name in EVENTS if not any(re.fullmatch(p, name) for p in found)]
    assert not in_vain, "registered, and never sent"


def any_of(pattern: str) -> bool:
    return any(re.fullmatch(pattern, name) for name in EVENTS)


def test_a_type_is_registered_once_under_the_noun_of_its_module() -> None:
    for name, registered in EVENTS.items():
        assert TYPE.fullmatch(name)
        assert registered.name == name
        assert registered.title.zh
        assert registered.title.en
        assert registered.data.__doc__


@pytest.mark.parametrize(
    ("type", "subject", "data", "fault"),
    [
        ("hall.rain.over", "zone/door", {}, "no such type"),
        ("hall.rain.ended", "hall", {}, "the subject hall is none of"),
        ("hall.rain.ended", "zone/door", {"mm": 1}, "mm: Extra inputs are not permitted"),
        ("hall.floor.wet", "zone/door", {"ohms": "1"}, "ohms: Input should be a valid integer"),
        ("hall.floor.wet", "zone/door", {}, "ohms: Field required"),
    ],
)
def test_what_is_beside_the_contract_is_found(
    type: str, subject: str, data: dict[str, object], fault: str
) -> None:
    assert fault in (fault_of(Emit(type, subject, data)) or "")


def test_a_fault_is_told_by_its_device_or_by_the_gateway_never_by_both() -> None:
    own = {"code": "key_stuck", "value": 3}
    told = {"device": "kp-1", "code": "identity_conflict", "epoch": 1, "seq": 2}
    for data in (own, told):
        assert DeviceFault.model_validate(data)
        assert not fault_of(Emit("hall.device.fault", "window/1", data))
    assert fault_of(Emit("hall.device.fault", "window/1", own | told))
