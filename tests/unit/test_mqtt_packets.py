"""PUBLISH and PUBACK of MQTT 3.1.1 as bytes, by the specification's own layout."""

import pytest
from hall_gateway import mqtt_packets
from hall_gateway.mqtt_packets import Arrived
from hall_gateway.mqtt_window import FIRST, LAST, Window

TOPIC = "device/v1/门-1/up/event"


@pytest.mark.parametrize("size", [0, 1, 90, 91, 127, 128, 16_000, 16_383, 16_384, 3_000_000])
def test_what_is_published_is_what_arrives(size: int) -> None:
    packet = mqtt_packets.publish(TOPIC, b"x" * size, retain=True, mid=0x1234)
    assert mqtt_packets.end(packet, 0) == len(packet)
    assert mqtt_packets.arrived(packet) == Arrived(TOPIC.encode(), b"x" * size, True, 0x1234)


def test_by_the_letter() -> None:
    """MQTT 3.1.1, figures 3.10 to 3.12 and 3.13."""
    packet = mqtt_packets.publish("a/b", b"hi", retain=False, mid=10)
    assert packet == b"\x32\x09\x00\x03a/b\x00\x0ahi"
    assert mqtt_packets.puback(10) == b"\x40\x02\x00\x0a"
    assert mqtt_packets.confirmed(b"\x40\x02\x01\x00") == 256
    assert mqtt_packets.arrived(b"\x30\x05\x00\x03a/b") == Arrived(b"a/b", b"", False, None)
    assert mqtt_packets.arrived(b"\x3b\x08\x00\x03a/b\x00\x0ax") == Arrived(b"a/b", b"x", True, 10)


def test_where_a_packet_ends_is_known_as_soon_as_its_length_is_there() -> None:
    packet = mqtt_packets.publish(TOPIC, b"x" * 200, retain=False, mid=1)
    both = b"\xd0\x00" + packet
    assert mqtt_packets.end(both, 0) == 2
    assert [mqtt_packets.end(both[:n], 2) for n in (2, 3, 4)] == [None] * 3
    assert mqtt_packets.end(both[:5], 2) == len(both)


def test_a_length_of_five_bytes_ends_at_once() -> None:
    assert mqtt_packets.end(b"\x30\xff\xff\xff\xff\x01", 0) == 5


@pytest.mark.parametrize(
    "packet",
    [
        b"\x34\x07\x00\x03a/b\x00\x0a",  # QoS 2
        b"\x36\x07\x00\x03a/b\x00\x0a",  # QoS 3, which is none
        b"\x32\x07\x00\x03a/b\x00\x00",  # without an identifier
        b"\x32\x06\x00\x03a/b\x00",
        b"\x32\x04\x00\x03a/",
        b"\x30\x04\x00\x03a/",
        b"\x30\x01\x00",
        b"\x30\x00",
        b"\x30\xff\xff\xff\xff",
        b"\x40\x02\x00\x0a",
        b"\xd0\x00",
    ],
)
def test_what_is_no_publish_is_left_to_others(packet: bytes) -> None:
    assert mqtt_packets.arrived(packet) is None


@pytest.mark.parametrize("packet", [b"\x50\x02\x00\x0a", b"\x40\x03\x00\x0a\x10", b"\x40\x01\x00"])
def test_what_is_no_plain_puback_is_left_to_others(packet: bytes) -> None:
    assert mqtt_packets.confirmed(packet) is None


async def test_no_identifier_is_given_while_something_waits_for_it() -> None:
    window = Window()
    window.expect(FIRST + 1)
    given = [window.identifier() for _ in range(LAST - FIRST)]
    assert sorted(given) == [FIRST, *range(FIRST + 2, LAST + 1)]
    window.confirm(FIRST + 1)
    assert {window.identifier() for _ in range(LAST - FIRST + 1)} == set(range(FIRST, LAST + 1))
