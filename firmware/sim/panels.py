"""LED panels as a person sees them, from nothing but the levels on their cable.

Here: shift registers, latch, row decoder and output enable of HUB12, HUB08 and HUB75 panels, and
the picture that results. Not here: the chip's registers (`gpio`) and any knowledge of the firmware.

A dot counts as lit when its row was driven, with the dot's data latched, at any moment of a frame.
So an address that changes, or a latch that opens, while the row is still lit, shows as a ghost here
as it does on a real panel. A frame ends when every row was lit, or when the eye has waited for that
for `_EYE_US`.
"""

import array
import time
from binascii import crc32

from report import emit

# Shorter gaps flicker, longer ones are seen as a dark panel: the dark half of a slow blink is one.
_EYE_US = 200_000


class Panel:
    """One chain of panel modules on its cable.

    `driver` and `pins` are those of the device's config: kind, size and polarities of the panel,
    and the GPIO behind each line.
    """

    def __init__(self, driver, pins, pads):
        self._pads = pads
        self._kind = driver["name"]
        self._width = driver["width"]
        self._height = driver["height"]
        self._lit_level = 1 if driver["data_active"] == "high" else 0
        enable, latch, halves, address = _lines(self._kind)
        self._halves = [[pins[line] for line in half if line in pins] for half in halves]
        self._address = [pins[line] for line in address]
        self._enable = 1 << pins[enable]
        self._lit_enable = self._enable if driver["oe_active"] == "high" else 0
        self._latch = 1 << pins[latch]
        self._latching = self._latch if driver["lat_active"] == "high" else 0
        self.clock = 1 << pins["clk"]
        self.data = sum(1 << pin for half in self._halves for pin in half)
        # Levels before anything drives the cable: a pull resistor keeps the panel dark.
        self.resting = self._enable ^ self._lit_enable
        self.control = self._enable | self._latch | sum(1 << pin for pin in self._address)
        rows = 1 << len(self._address)
        # HUB12 shifts every row of its scan step through one line, the others one row a line.
        self.length = self._width * (self._height // rows if self._kind == "hub12" else 1)
        self._latched = array.array("I", bytes(4 * self.length))
        # Of each scan step: the CRC of the data last lit, and the text of its rows of dots. The
        # data themselves would take a quarter of a device's heap.
        self._lit_data = [0] * rows
        self._lit_text = [[self._dark_text()] * (self._height // rows) for _ in range(rows)]
        self._all_rows = (1 << rows) - 1
        self._lit_rows = self._shown_rows = 0
        self._dirty = False
        self._frame_us = time.ticks_us()
        self._picture = self._see()

    def control_changed(self, before, after):
        """An enable, latch or address line has moved from its level in `before` to `after`."""
        if before & self._enable == self._lit_enable:
            self._light(self._row(before))
        if (before ^ after) & self._latch and after & self._latch == self._latching:
            position = self._pads.position
            words = self._pads.words
            if position:
                words = words[position:] + words[:position]
            self._latched[:] = words

    def tick(self, now):
        """To be called some times a second: ends the frame of a scan that has stopped."""
        if self._pads.out & self._enable == self._lit_enable:
            self._light(self._row(self._pads.out))
        if now - self._frame_us > _EYE_US:
            self._end_frame(now)

    def _row(self, levels):
        row = 0
        for bit, pin in enumerate(self._address):
            row |= (levels >> pin & 1) << bit
        return row

    def _light(self, row):
        data = crc32(self._latched)
        if self._lit_data[row] != data:
            steps = len(self._lit_data)
            text = [self._decode(y) for y in range(row, self._height, steps)]
            if self._lit_rows >> row & 1:
                # For the second time in this frame, and differently: the eye sees both.
                text = [self._both(*rows) for rows in zip(text, self._lit_text[row])]  # noqa: B905
                data = None
            self._lit_data[row] = data
            self._lit_text[row] = text
            self._dirty = True
        self._lit_rows |= 1 << row
        if self._lit_rows == self._all_rows:
            self._end_frame(time.ticks_us())

    def _end_frame(self, now):
        if self._dirty or self._lit_rows != self._shown_rows:
            self._shown_rows = self._lit_rows
            self._dirty = False
            picture = self._see()
            if picture != self._picture:
                self._picture = picture
                emit({"panel": {"w": self._width, "h": self._height, "rows": picture}}, now)
        self._lit_rows = 0
        self._frame_us = now

    def _see(self):
        """The picture: hex digits of each row of dots, the leftmost dot in the highest bit."""
        steps = len(self._lit_text)
        return [
            self._lit_text[y % steps][y // steps]
            if self._shown_rows >> y % steps & 1
            else self._dark_text()
            for y in range(self._height)
        ]

    def _dark_text(self):
        return "0" * (self._width // 4)

    def _both(self, one, other):
        return "%0*x" % (self._width // 4, int(one, 16) | int(other, 16))

    def _decode(self, y):
        """The text of row `y` as it stands in the latches."""
        words = self._latched
        hub12 = self._kind == "hub12"
        if hub12:
            # A module's four registers of 8 dots stand above each other, the lowest dots first;
            # a second storey of modules follows the first on the same chain.
            line = self._halves[0]
            storey = self._width * (y // 16)
            inner = (3 - y % 16 // 4) * 8
        else:
            line = self._halves[y // 16]
            storey = inner = 0
        mask = sum(1 << pin for pin in line)
        dark = 0 if self._lit_level else mask
        bits = 0
        for x in range(self._width):
            position = (x + storey) // 8 * 32 + inner + x % 8 if hub12 else x
            bits = bits << 1 | (words[position] & mask != dark)
        return "%0*x" % (self._width // 4, bits)


def _lines(kind):
    """Names of: enable, latch, the data lines of the upper and lower half, address from bit 0."""
    if kind == "hub12":
        return "oe", "lat", (("r",),), ("a", "b")
    if kind == "hub08":
        return "en", "stb", (("r1", "g1"), ("r2", "g2")), ("a", "b", "c", "d")
    colours = (("r1", "g1", "b1"), ("r2", "g2", "b2"))
    return "oe", "lat", colours, ("a", "b", "c", "d")
