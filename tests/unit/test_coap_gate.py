"""Which datagrams are looked at, and what a flood cannot take from a device."""

from hall_gateway.coap_gate import BURST, MAX_PROVEN, OTHERS_BURST, OTHERS_PER_S, Gate, kid_of
from support.battery import DeviceSide, datagram, protected

IDENT = {"id": "d1d2", "gateway_id": "00", "secret": "01" * 16, "salt": "02" * 8}


def request(ident: dict[str, str] = IDENT, number: int = 0) -> bytes:
    return protected(DeviceSide(ident, number), b"\xa0")


def test_the_kid_is_read_as_devices_write_it() -> None:
    for number in (0, 255, 256, 2**32 - 1):
        assert kid_of(request(number=number)) == b"\xd1\xd2"
    assert kid_of(request(IDENT | {"id": "0102030405060708090a0b0c0d"[:14]})) == bytes(range(1, 8))
    assert kid_of(datagram(b"x")) is None
    whole = request()
    for end in range(len(whole)):
        kid_of(whole[:end])  # a piece of one breaks nothing
    assert kid_of(b"") is None


def test_strangers_share_what_a_device_does_not_need() -> None:
    now = [0.0]
    gate = Gate(lambda: now[0])
    gate.genuine("10.0.0.7", b"\xd1\xd2")
    assert sum(gate.admits(datagram(), f"10.0.{i % 200}.1") for i in range(5000)) == OTHERS_BURST
    assert sum(gate.admits(request(), "10.0.0.8") for _ in range(100)) == 0, "not from there"
    assert sum(gate.admits(request(), "10.0.0.7") for _ in range(1000)) == BURST
    now[0] += 1
    assert sum(gate.admits(datagram(), "10.0.0.9") for _ in range(1000)) == OTHERS_PER_S


def test_what_is_remembered_is_bounded() -> None:
    gate = Gate(lambda: 0.0)
    kept = [f"10.0.0.{number}" for number in range(MAX_PROVEN + 50)]
    for host in kept:
        gate.genuine(host, b"\xd1\xd2")
    while gate.admits(datagram(), "10.9.9.9"):
        pass
    assert not gate.admits(request(), kept[0]), "the oldest is a stranger again"
    assert gate.admits(request(), kept[-1])
