"""Events as NATS messages, and commands' time limits: pure, so that anything can be tried."""

import json
import string
from urllib.parse import unquote

import pytest
from hall_gateway import jetstream_subjects as subjects
from hall_gateway.jetstream_message import ExpiryError, event, expiry
from hall_gateway.values import OutboxRow
from hall_gateway.wire import compact
from hypothesis import given
from hypothesis import strategies as st

KEY = b"a hall's own"
STORE = "00000000000000ab"
NOW = 1_800_000_000_000
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(TEXT, TEXT, JSON, st.booleans())
def test_a_message_is_the_cloud_event(id: str, subject: str, data: object, again: bool):
    cloud_event = {
        "specversion": "1.0",
        "id": id,
        "source": "/hall/demo/kp-1",
        "type": "hall.rating.given",
        "subject": subject,
        "time": "2026-11-21T08:00:00.000Z",
        "clockquality": "synced",
        "datacontenttype": "application/json",
        "data": data,
    }
    message = event(
        "demo",
        STORE,
        OutboxRow(9, "rating", "given", compact(cloud_event), id, 4),
        KEY,
        again=again,
    )
    assert message.subject == "hall.v1.demo.event.rating.given"
    assert json.loads(message.payload) == data
    headers = dict(message.headers or {})
    assert headers.pop("content-type") == "application/json"
    assert headers.pop("Hall-Position") == "00000000000000ab/4/9"
    assert ("Nats-Msg-Id" in headers) == (not again)
    if not again:
        assert headers.pop("Nats-Msg-Id").rpartition("/")[0] == headers["ce-id"]
    assert all(set(value) <= set(string.printable[:94]) - set('"') for value in headers.values())
    read = {name.removeprefix("ce-"): unquote(value) for name, value in headers.items()}
    assert read == {name: value for name, value in cloud_event.items() if name != "data"}


def test_its_size_is_what_the_server_counts():
    body = compact({"id": "kp-1/0000abcd/1", "datacontenttype": "application/json", "data": {}})
    message = event("demo", STORE, OutboxRow(1, "rating", "given", body), KEY)
    lines = "".join(f"{name}: {value}\r\n" for name, value in (message.headers or {}).items())
    assert message.bytes == len(f"NATS/1.0\r\n{lines}\r\n") + len(message.payload)


@given(st.binary(min_size=1, max_size=64), st.binary(min_size=1, max_size=64))
def test_only_the_hall_can_make_its_messages_ids(ours: bytes, theirs: bytes):
    body = compact({"id": "kp-1/0000abcd/1", "datacontenttype": "application/json", "data": {}})
    row = OutboxRow(1, "rating", "given", body)

    def id(hall: str, key: bytes) -> str:
        return (event(hall, STORE, row, key).headers or {})["Nats-Msg-Id"]

    assert id("demo", ours) == id("demo", ours), "also when it is sent again"
    assert id("demo", ours) != id("other", ours)
    assert (id("demo", ours) == id("demo", theirs)) == (ours == theirs)


@given(st.integers(0, NOW + subjects.MAX_TTL_MS))
def test_a_time_within_the_hour_is_taken(expires: int):
    assert expiry({"Hall-Expires": str(expires)}, NOW) == expires


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (None, "missing"),
        ({"hall-expires": str(NOW)}, "missing"),
        ({"Hall-Expires": ""}, "no time"),
        ({"Hall-Expires": "-1"}, "no time"),
        ({"Hall-Expires": "1e12"}, "no time"),
        ({"Hall-Expires": "١٢٣"}, "no time"),
        ({"Hall-Expires": "9" * 5000}, "no time"),
        ({"Hall-Expires": str(NOW + subjects.MAX_TTL_MS + 1)}, "too far ahead of 2027-01-15T08"),
    ],
)
def test_any_other_is_refused(headers: dict[str, str] | None, said: str):
    with pytest.raises(ExpiryError, match=said):
        expiry(headers, NOW)
