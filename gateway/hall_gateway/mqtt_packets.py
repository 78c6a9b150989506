"""PUBLISH and PUBACK of MQTT 3.1.1 as bytes: what nearly all packets are.

Here: where a packet ends, and these two (OASIS MQTT 3.1.1, sections 2.2, 3.3 and 3.4). Pure: no
I/O. Not here: every other packet, and all of MQTT 5 (paho), when one is sent (mqtt_connection.py).

paho takes some 40 µs for a message that comes and its PUBACK, half of what the event loop has to do
for an event; these functions take a tenth of it.
"""

from typing import NamedTuple

PUBLISH, PUBACK = 0x30, 0x40

_RETAIN = 0x01
_QOS_1 = 0x02


class Arrived(NamedTuple):
    """A PUBLISH from the broker. `topic` may not be UTF-8; `mid` None at QoS 0, which has no
    PUBACK."""

    topic: bytes
    payload: bytes
    retain: bool
    mid: int | None


def end(data: bytes | bytearray, start: int) -> int | None:
    """Where the packet that begins at `start` ends; None while there is too little to tell.

    A length of five bytes is none (2.2.3): then the packet ends with the fourth, and whoever reads
    it finds it malformed.
    """
    length = 0
    for number in range(4):
        at = start + 1 + number
        if at >= len(data):
            return None
        length |= (data[at] & 0x7F) << 7 * number
        if data[at] < 0x80:
            return at + 1 + length
    return start + 5


def arrived(packet: bytes) -> Arrived | None:
    """A whole PUBLISH at QoS 0 or 1; None for anything else, or when it is malformed."""
    first = packet[0]
    if first & 0xF4 != PUBLISH:  # another packet, or QoS 2
        return None
    at = 2
    while at < 5 and packet[at - 1] >= 0x80:
        at += 1
    topic_ends = at + 2 + int.from_bytes(packet[at : at + 2])
    begins = topic_ends + 2 if first & _QOS_1 else topic_ends
    if at + 2 > len(packet) or topic_ends == at + 2 or begins > len(packet):
        return None  # an empty topic, too (4.7.3)
    mid = int.from_bytes(packet[topic_ends:begins]) if first & _QOS_1 else None
    if mid == 0:
        return None
    return Arrived(packet[at + 2 : topic_ends], packet[begins:], bool(first & _RETAIN), mid)


def confirmed(packet: bytes) -> int | None:
    """The packet identifier of a PUBACK; None for anything else."""
    return int.from_bytes(packet[2:]) if packet[0] == PUBACK and len(packet) == 4 else None


def publish(topic: str, payload: bytes, retain: bool, mid: int) -> bytes:
    """A PUBLISH at QoS 1."""
    name = topic.encode()
    first = PUBLISH | _QOS_1 | (_RETAIN if retain else 0)
    length = 4 + len(name) + len(payload)
    head = bytearray((first,))
    while length > 0x7F:
        head.append(0x80 | length & 0x7F)
        length >>= 7
    head.append(length)
    return b"".join((head, len(name).to_bytes(2), name, mid.to_bytes(2), payload))


def puback(mid: int) -> bytes:
    """The PUBACK for a PUBLISH with this packet identifier."""
    return b"\x40\x02" + mid.to_bytes(2)
