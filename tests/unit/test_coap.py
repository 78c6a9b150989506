"""The device's CoAP and CBOR (firmware/hall/coap.py, cbor.py): against aiocoap and cbor2, and
against bytes that are neither. The exchange over a socket is in tests/contract/test_coap_client.py.
"""

from pathlib import Path
from typing import Any

import aiocoap
import cbor2
import pytest
from hall_firmware.hall import cbor, coap
from hypothesis import given
from hypothesis import strategies as st
from support import micropython

FUZZ = Path(__file__).with_name("mp_coap_fuzz.py")

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.text(max_size=300)
    | st.binary(max_size=300)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,  # below the deepest nesting that is taken
)


@given(values)
def test_cbor_is_that_of_others(value: Any) -> None:
    wire = cbor.dumps(value)
    assert cbor2.loads(wire) == value
    assert cbor.loads(wire) == value
    assert len(wire) <= len(cbor2.dumps(value)), "as short as it can be"


@given(st.binary(max_size=200))
def test_what_cbor_takes_others_take_too(data: bytes) -> None:
    try:
        value = cbor.loads(data)
    except cbor.CborError:
        return
    assert repr(cbor2.loads(data)) == repr(value)


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        ("", "1 bytes are missing at 0"),
        ("18", "1 bytes are missing at 1"),
        ("0000", "1 bytes after the end"),
        ("5bffffffffffffffff", "bytes are missing at 9"),
        ("9bffffffffffffffff", "bytes are missing at 9"),
        ("bb7fffffffffffffff", "bytes are missing at 9"),
        ("9f01ff", "byte 9f at 0"),
        ("c100", "a tag at 0"),
        ("f90000", "simple value 25 at 0"),
        ("a10102", "a key that is no text, or is there twice"),
        ("a2616101616102", "a key that is no text, or is there twice"),
        ("61ff", "no UTF-8"),
        ("81" * 9 + "00", "more than 8 levels at 9"),
    ],
)
def test_cbor_says_what_is_wrong(wire: str, words: str) -> None:
    with pytest.raises(cbor.CborError, match=words):
        cbor.loads(bytes.fromhex(wire))


def test_what_has_no_place_in_cbor() -> None:
    for value in ({1, 2}, 2**64, -(2**64) - 1):
        with pytest.raises(cbor.CborError):
            cbor.dumps(value)


# Those of opaque content: aiocoap refuses a text that is not UTF-8.
options = st.lists(
    st.tuples(st.sampled_from([1, 4, 252, 300, 5000]), st.binary(max_size=400)),
    max_size=5,
)


@given(st.sampled_from([0, 1, 2]), st.binary(max_size=8), options, st.binary(max_size=100))
def test_messages_are_those_of_aiocoap(
    kind: int, token: bytes, values: list[tuple[int, bytes]], payload: bytes
) -> None:
    values = sorted(values, key=lambda option: option[0])
    wire = coap.encode(kind, coap.POST, 0x1234, token, values, payload)
    assert coap.decode(wire) == (kind, coap.POST, 0x1234, token, values, payload)
    message = aiocoap.Message.decode(wire)
    assert (message.mtype, message.code, message.mid) == (kind, coap.POST, 0x1234)
    assert (message.token, message.payload) == (token, payload)
    theirs = [(int(each.number), each.encode()) for each in message.opt.option_list()]
    assert theirs == values


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_a_coap_error(data: bytes) -> None:
    for datagram in (data, b"\x40" + data, b"\x64\x44\0\x07abcd" + data):
        try:
            kind, code, mid, token, values, payload = coap.decode(datagram)
        except coap.CoapError:
            continue
        again = coap.decode(coap.encode(kind, code, mid, token, values, payload))
        assert again == (kind, code, mid, token, values, payload)


@pytest.mark.parametrize("seed", ["1", "2"])
def test_malformed_bytes_in_micropython(seed: str) -> None:
    output = micropython.run(FUZZ, seed).output
    cbor_taken, cbor_refused, coap_taken, coap_refused, oscore_refused = map(int, output.split())
    assert min(cbor_taken, coap_taken) > 100, output
    assert min(cbor_refused, coap_refused) > 1000, output
    assert oscore_refused == 500, "without the keys nothing is a response"


def test_size_on_the_device() -> None:
    names = ("oscore.mpy", "coap.mpy", "cbor.mpy")
    sizes = {name: (micropython.modules() / "hall" / name).stat().st_size for name in names}
    print(sizes)
    assert sum(sizes.values()) <= 7 * 1024
