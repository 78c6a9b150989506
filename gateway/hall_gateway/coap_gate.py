"""Which datagrams are looked at: a flood is dropped before it costs anything.

Here: the bound, pure and with a clock that is handed in. Not here: the socket (coap_server.py),
whether a request is genuine (oscore_site.py), what a genuine device may send (quarantine.py).

Nothing of a datagram proves where it is from: its source and its kid can be anybody's. So whoever
has sent a genuine request, from an address under a kid, has a bucket of its own for what comes from
there, and all others share one. A stranger takes nothing from a device that was heard before, and
no more than OTHERS_PER_S of the gateway's time.
"""

from collections import OrderedDict
from collections.abc import Callable

from hall_gateway.quarantine import Bucket

PER_S, BURST = 20, 100
"""Datagrams of one device at one address. It has one request at a time, repeats it after 2 s at the
earliest, and tells a full journal in some 130 of them, each with an answer between."""
OTHERS_PER_S, OTHERS_BURST = 50, 200
"""A request takes about 1 ms to refuse, so this is a twentieth of one core. The burst is for the
battery devices of a hall after a restart, which all begin as strangers."""
MAX_PROVEN = 1024
"""Addresses and kids that are remembered; the one unheard for longest goes."""
OSCORE = 9
"""The option's number (RFC 8613, section 2)."""


class Gate:
    """`monotonic` gives s."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._others = Bucket(OTHERS_BURST, monotonic())
        self._proven: OrderedDict[tuple[str, bytes], Bucket] = OrderedDict()

    def admits(self, data: bytes, host: str) -> bool:
        """Whether a datagram from the address `host` is looked at."""
        now = self._monotonic()
        kid = kid_of(data)
        if kid is not None and (bucket := self._proven.get((host, kid))) is not None:
            return bucket.take(BURST, PER_S, now)
        return self._others.take(OTHERS_BURST, OTHERS_PER_S, now)

    def genuine(self, host: str, kid: bytes) -> None:
        """A genuine request came from there, under this kid."""
        key = host, kid
        if key in self._proven:
            self._proven.move_to_end(key)
            return
        self._proven[key] = Bucket(BURST, self._monotonic())
        if len(self._proven) > MAX_PROVEN:
            self._proven.popitem(last=False)


def kid_of(data: bytes) -> bytes | None:
    """The kid of a request as devices send it: OSCORE is its first option (RFC 8613, section 6.1).
    None for whatever is not like that."""
    at = 4 + (data[0] & 15) if data else 0
    if len(data) < at + 2 or data[at] >> 4 != OSCORE:
        return None
    size = data[at] & 15
    if size == 13:
        size, at = 13 + data[at + 1], at + 1
    value = data[at + 1 : at + 1 + size]
    partial_iv = value[0] & 7 if value else 0
    return value[1 + partial_iv :] if value and value[0] == 8 | partial_iv else None
