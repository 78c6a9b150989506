"""An LD2450 radar as its protocol describes it: a frame each 100 ms on a serial line, byte by byte.

Here: what is on the line at a moment, noise included. Not here: who walks (`lane`) and the port's
buffer of bytes received (`machine`).
"""

import random
from struct import pack

from moment import now_us

_FRAME_US = 100_000
_BAUD = 256_000
_GATE_MM = 320
_LONGEST = 512  # bytes in the port's buffer; what comes then is lost


class Ld2450:
    """It hangs opposite the doorway, `gate` mm away: y is how far away somebody is, x aside."""

    def __init__(self, lane, gate, now_us=now_us):
        self._lane = lane
        self._gate = gate
        self._now = now_us
        self._next = now_us()
        self._line = b""
        self.gone = False
        self.noisy = False
        self.hung = False

    def waiting(self, baud):
        """The bytes that have come and were not taken, heard at `baud`."""
        now = self._now()
        while self._next <= now:
            if not self.gone and not self.hung:
                self._line += self._spoilt(self._frame(self._next), baud)
            self._next += _FRAME_US
        self._line = self._line[:_LONGEST]
        return self._line

    def taken(self, count):
        self._line = self._line[count:]

    def _frame(self, now):
        targets = b""
        for along in self._lane.places(now)[:3]:
            x = random.randint(-40, 40)
            y = self._gate - along + random.randint(-40, 40)
            targets += pack("<HHHH", _signed(x), _signed(y), _signed(0), _GATE_MM)
        return b"\xaa\xff\x03\x00" + targets + bytes(24 - len(targets)) + b"\x55\xcc"

    def _spoilt(self, frame, baud):
        if abs(baud - _BAUD) > _BAUD // 50:
            return bytes([byte ^ 0xA5 for byte in frame])
        if not self.noisy:
            return frame
        # A spike ahead, and now and then a byte that went missing.
        cut = random.randint(0, 40)
        return bytes([random.randint(0, 255) for _ in range(3)]) + frame[:cut] + frame[cut + 1 :]


def _signed(value):
    """The highest bit is set for plus (HLK-LD2450 serial protocol, table 10)."""
    return 0x8000 | value if value >= 0 else -value
