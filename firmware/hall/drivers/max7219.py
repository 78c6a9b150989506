"""MAX7219: eight seven-segment digits a chip, or 8x8 dots, which it scans itself, on SPI.

Here: the registers (data sheet 19-4452), how digits and dots are wired to them, and what seven
segments can show. Not here: what is shown.
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


class _Chain:
    """`chips` in a chain: each keeps eight bytes on show, which it scans by itself.

    What is sent first ends in the farthest chip. settings["brightness"]: as `dim`.
    """

    def __init__(self, chips, spi_hz, pins, brightness, hal):
        self._spi = hal.spi(pins["clk"], pins["din"], spi_hz)
        self._select = hal.output(pins["cs"], "low")
        # Of each chip, the farthest first, the bytes of its registers 1 to 8.
        self._shown = bytearray(8 * chips)
        self._frame = bytearray(2 * chips)
        self._scans = 0
        self.dim(brightness)
        self._write_all()

    def scan(self):
        """The chips scan by themselves; this only writes their registers again now and then."""
        self._scans += 1
        if self._scans >= REWRITE_SCANS:
            self._write_all()

    def dim(self, percent):
        """1 to 100 % as one of 16 intensities, from the next scan on."""
        self._intensity = (percent * 15 + 50) // 100
        self._scans = REWRITE_SCANS

    def _write_all(self):
        self._scans = 0
        self._write(DISPLAY_TEST, 0)
        self._write(DECODE, 0)
        self._write(SCAN_LIMIT, 7)
        self._write(INTENSITY, self._intensity)
        self._write_shown()
        self._write(SHUTDOWN, 1)

    def _write_shown(self):
        for digit in range(8):
            for chip in range(len(self._frame) // 2):
                self._frame[2 * chip] = digit + 1
                self._frame[2 * chip + 1] = self._shown[8 * chip + digit]
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


class Max7219(_Chain):
    """driver["digits"] seven-segment digits, eight a chip.

    Digit register 8 is a chip's leftmost digit, as the common modules are wired. In a chain the
    chip nearest the controller has the rightmost digits.
    """

    refresh_ms = 100

    def __init__(self, driver, pins, settings, hal):
        self.digits = driver["digits"]
        super().__init__(self.digits // 8, driver["spi_hz"], pins, settings["brightness"], hal)

    def show(self, text):
        """Shows `text` from the left; a full stop lights the dot of the digit before it."""
        lit = self._shown
        lit[:] = bytes(self.digits)
        at = -1
        for char in text:
            # Digit 8 of a chip is the leftmost.
            if char == "." and at >= 0 and not lit[at ^ 7] & DOT:
                lit[at ^ 7] |= DOT
            elif at + 1 < self.digits:
                at += 1
                lit[at ^ 7] = segments(char)
        self._write_shown()


class Max7219Matrix(_Chain):
    """Modules of 8x8 dots, a chip each, as a panel: driver["width"] x driver["height"] pixels.

    As the common boards of four (FC-16) are wired: register 1 is the upper row, the dot in bit 7
    the leftmost, and the chip nearest the controller the rightmost (mcauser/micropython-max7219).
    Storeys are one chain; what is sent first, and ends farthest, is the upper one.
    """

    colours = 1
    refresh_ms = 40

    def __init__(self, driver, pins, settings, hal):
        self.width = driver["width"]
        self.height = driver["height"]
        chips = self.width * self.height // 64
        super().__init__(chips, driver["spi_hz"], pins, settings["brightness"], hal)

    def show(self, picture):
        """Shows a picture in framebuf's MONO_HLSB format at once."""
        columns = self.width // 8
        at = 0
        for y in range(self.height):
            first = y // 8 * columns
            for chip in range(first, first + columns):
                self._shown[8 * chip + y % 8] = picture[at]
                at += 1
        self._write_shown()


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
