"""A chain of MAX7219 chips (data sheet 19-4452) and the segments they light.

Here: the shift register, the chip's registers and its digit decoder. Not here: the SPI bus and the
chip select (`machine`, `gpio`).
"""

import time

from report import emit

_DECODE, _INTENSITY, _SCAN_LIMIT, _SHUTDOWN, _TEST = 9, 10, 11, 12, 15
# Code B font, segments DP A B C D E F G from bit 7: 0 to 9, -, E, H, L, P, blank.
_CODE_B = b"\x7e\x30\x6d\x79\x33\x5b\x5f\x70\x7f\x7b\x01\x4f\x37\x0e\x67\x00"
# Digits are written one by one: the eye gets the text when the writing has paused this long.
_SETTLED_US = 10_000


class Max7219Chain:
    """`digits` digits, eight a chip, reported from left to right as a person sees them.

    As the common modules are built, register 8 is a chip's leftmost digit, and the chip nearest
    the controller has the rightmost digits.
    """

    def __init__(self, digits):
        self._shift = bytearray(digits // 4)
        self._chips = [bytearray(16) for _ in range(digits // 8)]
        self._shown = bytes(digits)
        self._changed_us = None

    def shift(self, data):
        """Clocks bytes in, the most significant bit first."""
        size = len(self._shift)
        self._shift = (self._shift + data)[-size:]

    def load(self):
        """The rising edge of CS: each chip takes the 16 bits that stand in its register."""
        for index, registers in enumerate(self._chips):
            place = len(self._shift) - 2 * index - 2
            registers[self._shift[place] & 15] = self._shift[place + 1]
        self._changed_us = time.ticks_us()

    def tick(self, now):
        """Reports the digits when they have changed and settled."""
        if self._changed_us is None or now - self._changed_us < _SETTLED_US:
            return
        lit = bytes(self._segments())
        if lit != self._shown:
            self._shown = lit
            emit({"segments": list(lit)}, self._changed_us)
        self._changed_us = None

    def _segments(self):
        for registers in reversed(self._chips):
            for digit in range(7, -1, -1):
                value = registers[digit + 1]
                if registers[_TEST] & 1:
                    yield 0xFF
                elif not registers[_SHUTDOWN] & 1 or digit > registers[_SCAN_LIMIT] & 7:
                    yield 0
                elif registers[_DECODE] >> digit & 1:
                    yield value & 0x80 | _CODE_B[value & 15]
                else:
                    yield value
