"""The face of a matrix display: lines of text on a panel, in rows of 16 pixels.

Here: drawing text with the glyph pack, centring what fits, scrolling what does not, in the colours
that the panel has, only when the picture changes; and the test pictures. Not here: what is said
(the role) and how a panel is scanned.
"""

from framebuf import MONO_HLSB, FrameBuffer

LINE = 16  # pixels
HOLD_MS = 1000  # a scrolling line stands still first, so that its beginning is read
SCROLL_MS = 30  # per pixel: a Hanzi twice a second
DARK = -1  # in the place of a number of pixels scrolled: nothing is drawn
STILL_PATTERNS = 3
GAP = 32  # pixels between the end of a scrolling line and its next beginning


class Strip:
    """One line of text, drawn once at its full width."""

    def __init__(self, text, glyphs):
        bitmaps = [glyphs.get(char) for char in text]
        self.width = sum([width for width, _ in bitmaps])
        # A text of spaces may leave an empty line, and no picture has a width of 0.
        width = self.width or 1
        stride = width + 7 & ~7
        self.picture = FrameBuffer(bytearray(stride * LINE // 8), width, LINE, MONO_HLSB)
        x = 0
        for width, bitmap in bitmaps:
            self.picture.blit(FrameBuffer(bytearray(bitmap), width, LINE, MONO_HLSB), x, 0)
            x += width


class MatrixFace:
    """Shows lines on `panel`, which has width, height, refresh_ms, colours (1, or 2 red and green,
    or 3 red, green and blue), show(picture), scan() and dim(percent).

    A colour is a sum of 1 red, 2 green and 4 blue. A panel that has none of it shows all it has.
    """

    hanzi = True

    def __init__(self, panel, glyphs):
        self.refresh_ms = panel.refresh_ms
        self.columns = panel.width
        self.rows = panel.height // LINE
        self._panel = panel
        self._glyphs = glyphs
        # A plane a colour, one after the other.
        size = panel.width * panel.height // 8
        self._buffer = bytearray(size * panel.colours)
        self._planes = []
        for at in range(0, len(self._buffer), size):
            part = memoryview(self._buffer)[at : at + size]
            self._planes.append(FrameBuffer(part, panel.width, panel.height, MONO_HLSB))
        self._strips = []
        self._colour = 0
        self._since = 0
        self._scrolled = None  # pixels by which the picture on the panel was scrolled

    @property
    def missing(self):
        return self._glyphs.missing

    def width(self, text):
        """How many columns `text` takes."""
        return sum([self._glyphs.width(char) for char in text])

    def show(self, lines, now, colour):
        """From now on the face shows these lines, at most `rows`."""
        self._strips = [Strip(line, self._glyphs) for line in lines]
        every = (1 << len(self._planes)) - 1
        self._colour = colour & every or every
        self._since = now
        self._scrolled = None

    def pattern(self, phase):
        """One of the test pictures, which come round:

        0, 1    a checkerboard and its opposite: every LED was lit and every one dark
        2       a line from the upper left corner to the lower right one, which a row, a column or a
                module in a wrong place breaks, and one that is lit twice doubles
        3...    every LED lit, in one colour after the other
        """
        self._strips = []
        self._scrolled = 0
        phase %= STILL_PATTERNS + len(self._planes)
        if phase < 2:
            row, next_row = [byte * (self.columns // 8) for byte in (b"\xaa", b"\x55")]
            rows = next_row + row if phase else row + next_row
            self._buffer[:] = rows * (len(self._buffer) // len(rows))
        else:
            for index, plane in enumerate(self._planes):
                plane.fill(phase == STILL_PATTERNS + index)
                if phase == 2:
                    self._draw_line(plane)
        self._panel.show(self._buffer)

    def frame(self, now, lit):
        """Shows one whole frame; a face that is not lit is dark."""
        scrolled = self._scroll(now) if lit else DARK
        if scrolled != self._scrolled:
            self._scrolled = scrolled
            self._draw(scrolled)
        if lit:
            self._panel.scan()

    def dim(self, percent):
        self._panel.dim(percent)

    def selftest(self):
        return {"glyphs": self._glyphs.intact()}

    def _scroll(self, now):
        for strip in self._strips:
            if strip.width > self.columns:
                return max(0, now - self._since - HOLD_MS) // SCROLL_MS
        return 0

    def _draw(self, scrolled):
        for index, plane in enumerate(self._planes):
            plane.fill(0)
            if scrolled != DARK and self._colour >> index & 1:
                self._draw_strips(plane, scrolled)
        self._panel.show(self._buffer)

    def _draw_strips(self, plane, scrolled):
        y = (self._panel.height - LINE * len(self._strips)) // 2
        for strip in self._strips:
            if strip.width <= self.columns:
                plane.blit(strip.picture, (self.columns - strip.width) // 2, y)
            else:
                round_trip = strip.width + GAP
                x = -(scrolled % round_trip)
                plane.blit(strip.picture, x, y)
                plane.blit(strip.picture, x + round_trip, y)
            y += LINE

    def _draw_line(self, plane):
        columns, rows = self.columns, self._panel.height
        longest = max(columns, rows)
        for at in range(longest):
            plane.pixel(at * columns // longest, at * rows // longest, 1)
