"""The sink over NATS by its parts: what a stream's answer means, a hall's state, servers that are
none, and what is imported when."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hall_gateway.health import Health, Reason
from hall_gateway.jetstream_acks import Acks, NotTakenError, PubAck, read_answer
from hall_gateway.jetstream_connection import Connection
from hall_gateway.jetstream_credentials import read_credentials
from hall_gateway.jetstream_state import MAX_BYTES, Reach, told
from hall_gateway.mqtt_message import DisconnectedError
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.store_rules import Alert
from hall_gateway.wire import compact
from hall_tools.fleet.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from support.core_hall import NOON, PLAN

FULL = (
    b'{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"S"}'
)


def test_an_answer_names_the_stream():
    assert read_answer("a", None, b'{"stream":"S","seq":7}') == PubAck("S")
    assert read_answer("a", {}, b'{"stream":"S","seq":7,"duplicate":true}') == PubAck("S")


@pytest.mark.parametrize(
    ("headers", "payload", "said", "stream"),
    [
        ({"Status": "503"}, b"", "no stream takes a:", None),
        (None, FULL, r"S refuses: maximum bytes exceeded \(10077\)", "S"),
        (None, b'{"error":{"code":500}}', r"the stream refuses: None \(500\)", "the stream"),
        (None, b'{"error":"no"}', "no stream", None),
        (None, b"", "no stream", None),
        (None, b"[]", "no stream", None),
        (None, b"{}", "no stream", None),
        (None, b"\xff", "no stream", None),
    ],
)
def test_any_other_answer_is_a_refusal(
    headers: dict[str, str] | None, payload: bytes, said: str, stream: str | None
):
    with pytest.raises(NotTakenError, match=said) as refused:
        read_answer("a", headers, payload)
    assert refused.value.stream == stream


@given(st.binary(max_size=40))
def test_no_answer_is_too_odd(payload: bytes):
    with contextlib.suppress(NotTakenError):
        read_answer("a", None, payload)


async def test_answers_find_whoever_waits():
    now = 0.0
    acks = Acks(lambda: now)
    tokens, answers = zip(*(acks.expect(f"hall.{name}") for name in "abc"), strict=True)
    acks.answered(tokens[1], None, b'{"stream":"S"}')
    acks.answered(tokens[1], None, FULL)  # once more
    acks.answered("99", None, FULL)  # nobody's
    assert answers[1].result() == PubAck("S")
    acks.refused('permissions violation for publish to "hall.c"')
    with pytest.raises(NotTakenError, match=r"do not let this hall publish hall\.c"):
        answers[2].result()
    now = 9.0
    acks.late(10.0)
    assert not answers[0].done()
    now = 10.0
    acks.late(10.0)
    with pytest.raises(NotTakenError, match=r"no stream answered on hall\.a for 10 s"):
        answers[0].result()
    assert not len(acks)
    _, last = acks.expect("hall.d")
    acks.end(DisconnectedError("gone"))
    with pytest.raises(DisconnectedError, match="gone"):
        last.result()


ALERT = Alert(
    *(7, "hot", "zone/a", "zone/a", "warning", {"zh": "热", "en": "Hot"}, {"zh": "", "en": ""}),
    *(NOON, NOON, 1, 60_000, None, None, None, None),
)


def state(plan: Plan, devices: dict[str, bytes], waiting: int = 3) -> bytes:
    reasons = tuple(Reason("sink_fails", "x" * 900, "degraded") for _ in range(9))
    made = told(plan, "1.2", Health("degraded", reasons), devices, [ALERT] * 30, None, "C")
    return made.payload(NOON, waiting, Reach("00000000000000ab", 2, 9))


def test_a_state_is_what_the_hall_knows():
    reported = {"fw": "0.9", "health": {"errors": ["one", "two"]}}
    devices = {"kp-1": compact({"device": "kp-1", "online": True, "state": reported})}
    plan = replace(PLAN, occupancy=replace(PLAN.occupancy, areas=frozenset({"vip", "lounge"})))
    found = json.loads(state(plan, devices))
    assert (found["outbox"], found["told"]) == (
        3,
        {"store": "00000000000000ab", "began": 2, "to": 9},
    )
    assert (found["status"], found["class"]) == ("degraded", "C")
    assert found["areas"] == ["lounge", "vip"]
    assert [len(problem) for problem in found["problems"]] == [300] * 5
    assert len(found["alerts"]) == 20
    assert found["alerts"][0] == {
        "id": 7,
        "rule": "hot",
        "level": "warning",
        "title": {"zh": "热", "en": "Hot"},
        "since": "2027-01-15T08:00:00.000Z",
    }
    assert "name" not in found
    keypad = next(device for device in found["devices"] if device["id"] == "kp-1")
    assert (keypad["online"], keypad["fw"], keypad["error"]) == (True, "0.9", "two")


@pytest.mark.parametrize(
    "reported",
    [None, [], {"fw": 7, "health": []}, {"health": {"errors": "no"}}, {"health": {"errors": []}}],
)
def test_a_device_may_report_anything(reported: object):
    devices = {"kp-1": compact({"device": "kp-1", "online": False, "state": reported})}
    found = json.loads(state(PLAN, devices))
    keypad = next(device for device in found["devices"] if device["id"] == "kp-1")
    assert (keypad["fw"], keypad["error"]) == (None, None)


def test_a_state_is_never_larger_than_it_may_be():
    profile = PLAN.devices["kp-1"].profile
    ids = [f"d-{number:03}" for number in range(400)]
    plan = replace(PLAN, devices={id: PlannedDevice(id, profile, "zone/a") for id in ids})
    small = json.loads(state(plan, {}))
    assert len(small["devices"]) == 200
    errors = compact({"online": True, "state": {"health": {"errors": ["长" * 300]}}})
    large = state(plan, dict.fromkeys(ids, errors))
    assert len(large) <= MAX_BYTES
    assert 0 < len(json.loads(large)["devices"]) < 200


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def says(*lines: bytes) -> Talk:
    """A server that says this, and then nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(lines))
        await reader.read()
        writer.close()

    return talk


INFO = b'INFO {"server_id":"x","max_payload":1048576,"headers":true%s}\r\n'


@pytest.mark.parametrize(
    ("talk", "scheme"),
    [
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "nats"),
        (says(b"INFO {\r\n"), "nats"),
        (says(b"INFO []\r\n"), "nats"),
        (says(INFO % b',"nonce":7,"auth_required":true'), "nats"),
        (says(b"x" * 100_000), "nats"),
        (says(INFO % b"", b"-ERR 'Authorization Violation'\r\n"), "nats"),
        (says(INFO % b"", b"PONG\r\n", b"-ERR 'Unknown'\r\n"), "nats"),
        (says(INFO % b"", b"PONG\r\n", b"MSG\r\n"), "nats"),
        (says(INFO % b',"tls_required":true'), "nats"),
        (says(INFO % b""), "tls"),
        (says(), "nats"),
    ],
)
async def test_a_server_that_is_none_is_a_connection_that_failed(
    tmp_path: Path, talk: Talk, scheme: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("hall_gateway.jetstream_connection.CONNECT_S", 0.3)
    (path,) = Credentials(tmp_path / "keys").add(["demo"])
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = Connection("demo", None)
    async with server, asyncio.timeout(20):
        with pytest.raises(DisconnectedError, match=f"{scheme}://localhost:{port}"):
            await connection.open(f"{scheme}://localhost:{port}", read_credentials(path), None)
        await connection.close()


def test_nats_is_imported_only_where_it_is_wanted():
    look = (
        "import sys, hall_gateway.service, hall_tools.commands.gateway, hall_tools.doctor.examine;"
        "print([name for name in ('nats', 'nkeys', 'nacl') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
