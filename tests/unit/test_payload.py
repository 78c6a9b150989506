"""Payloads: what is refused, and the one line that says why."""

import json
from typing import Any

import pytest
from hall_gateway.models import (
    CallCommand,
    CloseData,
    DeviceEvent,
    DeviceReply,
    DeviceState,
    GapData,
    PressData,
    ShowCommand,
    WindowCommand,
)
from hall_gateway.models import DeviceCommand as Device
from hall_gateway.payload import MAX_PAYLOAD, PayloadError, command_id, parse, parse_data
from pydantic import BaseModel

CALL = {"id": "c1", "ticket": "A015", "window": "1"}
SHOW = {"id": "c1", "window": "1", "text": "你好", "seconds": 5}
DEVICE = {"id": "c1", "device": "kp-1", "do": "identify"}
EVENT = {"epoch": 1, "seq": 1, "boot": 1, "up": 5, "t": None, "kind": "press", "data": {}}


def _error(model: type[BaseModel], fields: object) -> str:
    payload = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    with pytest.raises(PayloadError) as refused:
        parse(model, payload, ["1", "2"])
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("model", "fields", "error"),
    [
        (WindowCommand, {"id": "c1"}, "window: missing; give one of 1, 2"),
        (CallCommand, CALL | {"tikcet": "A1"}, "tikcet: unknown field; the fields are id, ticket"),
        (CallCommand, CALL | {"ticket": ""}, "ticket: string should have at least 1 character"),
        (CallCommand, CALL | {"ticket": "A" * 9}, "give 1 to 8 printable characters"),
        (CallCommand, CALL | {"ticket": "A\n1"}, "ticket: not printable"),
        (CallCommand, CALL | {"ticket": " A1"}, "ticket: not printable, or with blanks around it"),
        (CallCommand, CALL | {"ticket": 15}, "ticket: input should be a valid string; give 1 to"),
        (CallCommand, CALL | {"window": "123456789"}, "at most 8 characters; give one of 1, 2"),
        (CallCommand, CALL | {"id": "a/b"}, "id: string should match pattern"),
        (CallCommand, CALL | {"staff": "x" * 33}, "give 1 to 32 printable characters"),
        (ShowCommand, SHOW | {"text": "字" * 65}, "text: string should have at most 64 characters"),
        (ShowCommand, SHOW | {"seconds": 0}, "give 1 to 3600 s"),
        (ShowCommand, SHOW | {"seconds": 3601}, "give 1 to 3600 s"),
        (ShowCommand, SHOW | {"seconds": 1.5}, "seconds: input should be a valid integer"),
        (ShowCommand, SHOW | {"seconds": "5"}, "seconds: input should be a valid integer"),
        (ShowCommand, SHOW | {"device": "disp-1"}, "give either window or device"),
        (Device, DEVICE | {"do": "explode"}, "give identify, selftest, reboot, update or config"),
        (Device, DEVICE | {"device": "KP_1"}, "device: string should match pattern"),
        (Device, DEVICE | {"ttl_s": 0}, "ttl_s: input should be greater than or equal to 1"),
        (DeviceEvent, EVENT | {"epoch": 2**32}, "give 0 to 4294967295"),
        (DeviceEvent, EVENT | {"seq": 0}, "give 1 to 4294967295"),
        (DeviceEvent, EVENT | {"boot": 65536}, "give 0 to 65535"),
        (DeviceEvent, EVENT | {"up": 2**40}, "give ms since boot, below 2^40"),
        (DeviceEvent, EVENT | {"up": -1}, "give ms since boot, below 2^40"),
        (DeviceEvent, EVENT | {"t": 2**48}, "give unix ms, at most 253402300799999, or null"),
        (DeviceEvent, EVENT | {"t": "now"}, "t: input should be a valid integer"),
        (DeviceEvent, EVENT | {"seq": True}, "seq: input should be a valid integer"),
        (DeviceEvent, EVENT | {"kind": "Press!"}, "kind: string should match"),
        (DeviceEvent, EVENT | {"data": []}, "data: input should be an object"),
        (DeviceEvent, [1], "give a JSON object"),
        (DeviceEvent, b'{"epoch":1,', "not JSON: "),
        (DeviceEvent, b"\xff\xfe", "not JSON: "),
        (DeviceEvent, b"", "not JSON: "),
        (DeviceState, {"rev": 1}, "journal: missing"),
        (DeviceReply, {"id": "c1", "ok": 1}, "ok: input should be a valid boolean"),
    ],
)
def test_one_line_says_what_is_wrong(model: type[BaseModel], fields: Any, error: str) -> None:
    assert error in _error(model, fields)


def test_many_faults_are_cut_short() -> None:
    error = _error(DeviceEvent, {})
    assert error.startswith("epoch: missing; give 0 to 4294967295 | seq: missing")
    assert error.endswith("(and 4 more)")


def test_a_payload_over_1_kib_is_not_even_parsed() -> None:
    at_limit = json.dumps(EVENT | {"data": {"x": ""}}).encode()
    at_limit = at_limit.replace(b'""', b'"' + b"x" * (MAX_PAYLOAD - len(at_limit)) + b'"')
    assert len(at_limit) == 1024
    assert parse(DeviceEvent, at_limit).seq == 1
    with pytest.raises(PayloadError, match="1025 bytes; a payload has at most 1024"):
        parse(DeviceEvent, at_limit + b" ")


@pytest.mark.parametrize(
    ("model", "data", "error"),
    [
        (PressData, {"key": 0, "session": None}, "key: input should be greater"),
        (PressData, {"key": 1}, "session: missing"),
        (CloseData, {"session": 1, "why": "bored"}, "give lock, end, next or late"),
        (GapData, {"from": 5, "to": 4}, "from is after to"),
        (GapData, {"to": 4}, "from: missing; give 1 to 4294967295"),
    ],
)
def test_event_data(model: type[BaseModel], data: dict[str, Any], error: str) -> None:
    with pytest.raises(PayloadError, match=error):
        parse_data(model, data)


def test_newer_firmware_may_say_more() -> None:
    event = parse(DeviceEvent, json.dumps(EVENT | {"rssi": -60}).encode())
    assert event.seq == 1


def test_the_digest_is_of_the_meaning() -> None:
    event = parse(DeviceEvent, json.dumps(EVENT).encode())
    turned = dict(reversed(EVENT.items()))
    assert parse(DeviceEvent, json.dumps(turned).encode()).digest() == event.digest()
    changed = EVENT | {"data": {"key": 1}}
    assert parse(DeviceEvent, json.dumps(changed).encode()).digest() != event.digest()


def test_the_id_of_a_command_that_is_otherwise_wrong() -> None:
    assert command_id(b'{"id":"c-1","nonsense":[1]}') == "c-1"
    for payload in (b"{}", b"nonsense", b'{"id":"a b"}', b'{"id":5}', b'{"id":""}'):
        assert command_id(payload) is None
