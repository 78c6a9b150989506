"""CBOR from devices: as a general decoder reads it where it has a meaning in JSON, else refused."""

import json
import math

import cbor2
import pytest
from hall_gateway.cbor_input import MAX_DEPTH, CborError, decode
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = st.integers(-(2**64), 2**64 - 1) | st.floats(allow_nan=False)
PLAIN = st.none() | st.booleans() | NUMBERS | st.text(max_size=40)
JSON = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


@given(JSON)
def test_what_json_can_say(value: object) -> None:
    data = cbor2.dumps(value)
    assert json.dumps(decode(data)) == json.dumps(value)


@given(st.binary(max_size=60))
def test_noise_is_refused_or_read_as_others_do(data: bytes) -> None:
    try:
        found = decode(data)
    except CborError:
        return
    assert repr(found) == repr(cbor2.loads(data))


@given(JSON, st.data())
def test_every_end_before_the_end_is_refused(value: object, data: st.DataObject) -> None:
    whole = cbor2.dumps(value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(CborError):
        decode(whole[:cut])


def test_floats_of_all_sizes() -> None:
    assert decode(bytes.fromhex("f93c00")) == 1.0
    assert decode(bytes.fromhex("fa47c35000")) == 100000.0
    assert math.isnan(float(str(decode(bytes.fromhex("f97e00")))))


def test_depth() -> None:
    assert decode(b"\x81" * MAX_DEPTH + b"\x00")
    with pytest.raises(CborError, match=f"byte {MAX_DEPTH}: nested deeper than {MAX_DEPTH}"):
        decode(b"\x81" * (MAX_DEPTH + 1) + b"\x00")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ("", "byte 0: 1 bytes more are announced"),
        ("9bffffffffffffffff", "byte 0: 18446744073709551615 items do not fit"),
        ("bbffffffffffffffff", "byte 0: 36893488147419103230 items do not fit"),
        ("7bffffffffffffffff", "byte 9: 18446744073709551615 bytes more"),
        ("4100", "byte 0: a byte string has no meaning"),
        ("c100", "byte 0: a tag has no meaning"),
        ("9fff", "byte 0: an item without a length"),
        ("f7", "byte 0: neither a number nor true, false or null"),
        ("ff", "byte 0: neither a number nor true, false or null"),
        ("a10102", "byte 1: a key that is no text"),
        ("a2616101616102", "byte 4: the same key again"),
        ("61ff", "byte 0: text that is not UTF-8"),
        ("0000", "1 bytes follow its end"),
    ],
)
def test_what_is_wrong_is_told(data: str, what: str) -> None:
    with pytest.raises(CborError, match=what):
        decode(bytes.fromhex(data))
