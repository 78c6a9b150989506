"""MQTT packets in a stream of bytes, as far as somebody between two parties has to know them.

Here: where one ends, and what a PUBLISH of QoS 1 and a PUBACK say. MQTT 3.1.1 and 5 have these
alike (sections 2.2, 3.3, 3.4). Not here: what is done to them (proxy.py).
"""

from dataclasses import dataclass

_PUBLISH = 3
_PUBACK = 4
_DUP = 0x08
_LONGEST = 1 << 20


class NotMqttError(Exception):
    """These bytes are no MQTT, or longer than anything in a hall."""


class Splitter:
    """Bytes in, whole packets out."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that are complete now, in order. Raises NotMqttError."""
        data = self._rest + data
        packets: list[bytes] = []
        at = 0
        while (end := _end(data, at)) is not None:
            packets.append(data[at:end])
            at = end
        self._rest = data[at:]
        return packets


@dataclass(frozen=True)
class Publish:
    """A PUBLISH with QoS 1, as it came."""

    packet: bytes
    topic: bytes
    pid: int

    def again(self) -> bytes:
        """The same with the DUP flag, as a sender repeats it (section 3.3.1.1)."""
        return bytes([self.packet[0] | _DUP]) + self.packet[1:]


def publish(packet: bytes) -> Publish | None:
    """None: it is something else, or of another QoS."""
    if packet[0] >> 4 != _PUBLISH or packet[0] >> 1 & 3 != 1:
        return None
    at = _body(packet)
    end = at + 2 + int.from_bytes(packet[at : at + 2], "big")
    return Publish(packet, packet[at + 2 : end], int.from_bytes(packet[end : end + 2], "big"))


def puback(packet: bytes) -> int | None:
    """The packet identifier that a PUBACK confirms; None: it is something else."""
    if packet[0] >> 4 != _PUBACK:
        return None
    at = _body(packet)
    return int.from_bytes(packet[at : at + 2], "big")


def _body(packet: bytes) -> int:
    """Where what follows the length begins."""
    at = 1
    while packet[at] & 0x80:
        at += 1
    return at + 1


def _end(data: bytes, at: int) -> int | None:
    """The end of the packet at `at`; None when it is not all there."""
    length = 0
    for place in range(4):
        if at + 1 + place >= len(data):
            return None
        byte = data[at + 1 + place]
        length |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            if length > _LONGEST:
                raise NotMqttError(f"a packet of {length} bytes")
            end = at + 2 + place + length
            return end if end <= len(data) else None
    raise NotMqttError("a length of more than four bytes")
