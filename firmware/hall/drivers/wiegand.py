"""A card reader or PIN pad on two Wiegand lines: pulses into frames.

Here: bits, frames and their parity. Not here: what a card or a key means (roles/login.py).

The lines rest high. A pulse on D0 is a 0, one on D1 a 1; pulses are 20 to 100 us long and 0.2 to
20 ms apart. A card is 26 or 34 bits: even parity over the first half, the data, odd parity over the
second. A key of a pad is a burst of 4 bits: 0 to 9, 10 for * and 11 for #.
"""

from time import ticks_diff, ticks_ms

# A frame is over when no pulse has come for so long: more than pulses are apart.
GAP_MS = 40
_LONGEST = 40


class Wiegand:
    """Pins d0 and d1. `broken` counts the frames of another length or with a wrong parity."""

    def __init__(self, pins, hal):
        self.broken = 0
        self._bits = bytearray(_LONGEST)  # an interrupt takes no heap to fill it
        self._count = 0
        self._at = 0
        hal.falling(pins["d0"], self._zero)
        hal.falling(pins["d1"], self._one)

    def _zero(self, pin):
        self._take(0)

    def _one(self, pin):
        self._take(1)

    def _take(self, bit):
        if self._count < _LONGEST:
            self._bits[self._count] = bit
            self._count += 1
        self._at = ticks_ms()

    def poll(self):
        """(bits, data) of a frame that has ended: bits 4, 26 or 34, or 0 for a broken one."""
        count = self._count
        if not count or ticks_diff(ticks_ms(), self._at) < GAP_MS:
            return None
        bits = bytes(self._bits[:count])
        self._count = 0
        value = 0
        for bit in bits:
            value = value << 1 | bit
        if count == 4:
            return 4, value
        half = count // 2
        if count in (26, 34) and sum(bits[:half]) & 1 == 0 and sum(bits[half:]) & 1:
            return count, value >> 1 & (1 << count - 2) - 1
        self.broken += 1
        return 0, 0
