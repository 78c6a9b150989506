"""MAX7219: eight seven-segment digits a chip, which scans them itself, on SPI.

Here: the registers (data sheet 19-4452) and what seven segments can show. Digit register 8 is the
leftmost digit, as the common modules are wired. Not here: what is shown.
"""

DECODE, INTENSITY, SCAN_LIMIT, SHUTDOWN, DISPLAY_TEST = 9, 10, 11, 12, 15
DASH = 0x01
DOT = 0x80
# A spike or a brown-out can change any register unseen: all are written again this often.
REWRITE_SCANS = 50

# Segments A B C D E F G are bits 6 to 0. K, M, V, W, X and Z cannot be told from others: a dash.
_NUMERALS = b"\x7e\x30\x6d\x79\x33\x5b\x5f\x70\x7f\x7b"
_LETTERS = (
    b"\x77\x1f\x4e\x3d\x4f\x47\x5e\x37\x06\x3c\x01\x0e\x01"
    b"\x15\x7e\x67\x73\x05\x5b\x0f\x3e\x01\x01\x01\x3b\x01"
)


class Max7219:
    """driver["digits"] digits, eight a chip; settings["brightness"] percent of 16 intensities.

    In a chain the chip nearest the controller has the rightmost digits.
    """

    refresh_ms = 100

    def __init__(self, driver, pins, settings, hal):
        self.digits = driver["digits"]
        self._spi = hal.spi(pins["clk"], pins["din"], driver["spi_hz"])
        self._select = hal.output(pins["cs"], "low")
        self._intensity = (settings["brightness"] * 15 + 50) // 100
        self._lit = bytearray(self.digits)
        # Registers and values of all chips: what is sent first ends in the farthest chip.
        self._frame = bytearray(self.digits // 4)
        self._scans = 0
        self._write_all()

    def show(self, text):
        """Shows `text` from the left; a full stop lights the dot of the digit before it."""
        at = 0
        self._lit[:] = bytes(self.digits)
        for char in text:
            if char == "." and at > 0 and not self._lit[at - 1] & DOT:
                self._lit[at - 1] |= DOT
            elif at < self.digits:
                self._lit[at] = segments(char)
                at += 1
        self._write_digits()

    def scan(self):
        """The chip scans by itself; this only writes its registers again now and then."""
        self._scans += 1
        if self._scans >= REWRITE_SCANS:
            self._write_all()

    def _write_all(self):
        self._scans = 0
        self._write(DISPLAY_TEST, 0)
        self._write(DECODE, 0)
        self._write(SCAN_LIMIT, 7)
        self._write(INTENSITY, self._intensity)
        self._write_digits()
        self._write(SHUTDOWN, 1)

    def _write_digits(self):
        for digit in range(8):
            for chip in range(self.digits // 8):
                self._frame[2 * chip] = digit + 1
                self._frame[2 * chip + 1] = self._lit[8 * chip + 7 - digit]
            self._send()

    def _write(self, register, value):
        for index in range(0, len(self._frame), 2):
            self._frame[index] = register
            self._frame[index + 1] = value
        self._send()

    def _send(self):
        self._select.on()
        self._spi.write(self._frame)
        self._select.off()


def segments(char):
    """The segments of one character; a dash for what seven segments cannot show."""
    char = char.upper()
    if "0" <= char <= "9":
        return _NUMERALS[ord(char) - 48]
    if "A" <= char <= "Z":
        return _LETTERS[ord(char) - 65]
    if char == " ":
        return 0
    if char == ".":
        return DOT
    return DASH
