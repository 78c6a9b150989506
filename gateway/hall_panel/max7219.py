"""A chain of MAX7219 chips (data sheet 19-4452): what stands on its bus becomes light.

Here: the shift register through the chain, the chips' registers, the built-in digit decoder. Not
here: what is wired to the outputs, eight digits or an 8x8 matrix (preview.py), and the firmware's
driver, of which this model knows nothing.
"""

DECODE, INTENSITY, SCAN_LIMIT, SHUTDOWN, DISPLAY_TEST = 9, 10, 11, 12, 15

CODE_B = b"\x7e\x30\x6d\x79\x33\x5b\x5f\x70\x7f\x7b\x01\x4f\x37\x0e\x67\x00"
"""The decoder's font, segments A to G from bit 6: 0 to 9, dash, E, H, L, P, blank."""


class Chip:
    """The registers of one chip, all zero and shut down after power-up."""

    def __init__(self) -> None:
        self.registers = bytearray(16)

    def duty(self) -> float:
        """The share of the time that a lit segment is driven, 0 to 31/32 (data sheet, table 7);
        the display test drives all with the highest."""
        if self.registers[DISPLAY_TEST] & 1:
            return 31 / 32
        if not self.registers[SHUTDOWN] & 1:
            return 0.0
        return (2 * (self.registers[INTENSITY] & 15) + 1) / 32

    def segments(self, digit: int) -> int:
        """What output DIG `digit`, 0 to 7, lights: DP A B C D E F G from bit 7."""
        if self.registers[DISPLAY_TEST] & 1:
            return 0xFF
        if not self.registers[SHUTDOWN] & 1 or digit > self.registers[SCAN_LIMIT] & 7:
            return 0
        value = self.registers[1 + digit]
        if self.registers[DECODE] >> digit & 1:
            return value & 0x80 | CODE_B[value & 15]
        return value


class Chain:
    """`chips` chips on one bus; chips[0] is the nearest to the controller.

    A data sheet word is 16 bits: register in bits 11 to 8, value in bits 7 to 0.
    """

    def __init__(self, chips: int) -> None:
        self.chips = [Chip() for _ in range(chips)]
        self._shift = bytes(2 * chips)

    def write(self, data: bytes) -> None:
        """Clocks bytes into the chain, the most significant bit first."""
        self._shift = (self._shift + data)[-len(self._shift) :]

    def load(self) -> None:
        """CS rises: each chip takes the 16 bits that stand in its part of the chain."""
        for index, chip in enumerate(self.chips):
            at = len(self._shift) - 2 * index - 2
            register = self._shift[at] & 15
            if register:  # 0 is no operation
                chip.registers[register] = self._shift[at + 1]

    def content(self) -> bytes:
        """The registers of all chips."""
        return b"".join(chip.registers for chip in self.chips)
