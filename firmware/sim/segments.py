"""A chain of MAX7219 chips (data sheet 19-4452) and what they light: digits, or 8x8 dots each.

Here: the shift register, the chip's registers and its digit decoder, and what stands where. Not
here: the SPI bus and the chip select (`machine`, `gpio`).
"""

import time

from report import emit

_DECODE, _INTENSITY, _SCAN_LIMIT, _SHUTDOWN, _TEST = 9, 10, 11, 12, 15
# Code B font, segments DP A B C D E F G from bit 7: 0 to 9, -, E, H, L, P, blank.
_CODE_B = b"\x7e\x30\x6d\x79\x33\x5b\x5f\x70\x7f\x7b\x01\x4f\x37\x0e\x67\x00"
# Registers are written one by one: the eye gets the whole when the writing has paused this long.
_SETTLED_US = 10_000


class _Chain:
    """`chips` chips; the first of them is the nearest to the controller."""

    def __init__(self, chips):
        self._shift = bytearray(2 * chips)
        self._chips = [bytearray(16) for _ in range(chips)]
        self._shown = bytes(8 * chips)
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
        """Reports what is lit when it has changed and settled."""
        if self._changed_us is None or now - self._changed_us < _SETTLED_US:
            return
        lit = bytes([_driven(chip, row) for chip in reversed(self._chips) for row in range(8)])
        if lit != self._shown:
            self._shown = lit
            emit(self._seen(lit), self._changed_us)
        self._changed_us = None


def _driven(registers, row):
    """The eight outputs of a chip while it drives `row`, as it is numbered from 0."""
    value = registers[row + 1]
    if registers[_TEST] & 1:
        return 0xFF
    if not registers[_SHUTDOWN] & 1 or row > registers[_SCAN_LIMIT] & 7:
        return 0
    if registers[_DECODE] >> row & 1:
        return value & 0x80 | _CODE_B[value & 15]
    return value


class Digits(_Chain):
    """`digits` digits, eight a chip, reported from left to right as a person sees them.

    As the common modules are built, register 8 is a chip's leftmost digit, and the chip nearest
    the controller has the rightmost digits.
    """

    def __init__(self, digits):
        super().__init__(digits // 8)

    def _seen(self, lit):
        return {"segments": [lit[place ^ 7] for place in range(len(lit))]}


class Matrix(_Chain):
    """Modules of 8x8 dots, a chip each, reported as a panel of `width` x `height` dots.

    As FC-16 boards are built: register 1 is the upper row, the dot in bit 7 the leftmost; the chip
    nearest the controller is the rightmost of the lowest storey.
    """

    def __init__(self, width, height):
        super().__init__(width * height // 64)
        self._width = width
        self._height = height

    def _seen(self, lit):
        columns = self._width // 8
        rows = []
        for y in range(self._height):
            first = y // 8 * columns
            row = bytes([lit[8 * chip + y % 8] for chip in range(first, first + columns)])
            rows.append(row.hex())
        return {"panel": {"w": self._width, "h": self._height, "rows": rows}}
