"""The face of a matrix display: lines of text on a panel of one or two rows of 16 pixels.

Here: drawing text with the glyph pack, centring what fits, scrolling what does not, and drawing
only when the picture changes. Not here: what is said (the role) and how a panel is scanned.
"""

from framebuf import MONO_HLSB, FrameBuffer

LINE = 16  # pixels
HOLD_MS = 1000  # a scrolling line stands still first, so that its beginning is read
SCROLL_MS = 30  # per pixel: a Hanzi twice a second
GAP = 32  # pixels between the end of a scrolling line and its next beginning


class Strip:
    """One line of text, drawn once at its full width."""

    def __init__(self, text, glyphs):
        bitmaps = [glyphs.get(char) for char in text]
        self.width = sum([width for width, _ in bitmaps])
        stride = self.width + 7 & ~7
        self.picture = FrameBuffer(bytearray(stride * LINE // 8), self.width, LINE, MONO_HLSB)
        x = 0
        for width, bitmap in bitmaps:
            self.picture.blit(FrameBuffer(bytearray(bitmap), width, LINE, MONO_HLSB), x, 0)
            x += width


class MatrixFace:
    """Shows lines on `panel`, which has width, height, refresh_ms, show(picture) and scan()."""

    hanzi = True

    def __init__(self, panel, glyphs):
        self.refresh_ms = panel.refresh_ms
        self.columns = panel.width
        self.rows = panel.height // LINE
        self._panel = panel
        self._glyphs = glyphs
        self._buffer = bytearray(panel.width * panel.height // 8)
        self._canvas = FrameBuffer(self._buffer, panel.width, panel.height, MONO_HLSB)
        self._strips = []
        self._since = 0
        self._scrolled = None  # pixels by which the picture on the panel was scrolled

    @property
    def missing(self):
        return self._glyphs.missing

    def width(self, text):
        """How many columns `text` takes."""
        return sum([self._glyphs.width(char) for char in text])

    def show(self, lines, now):
        """From now on the face shows these lines, at most `rows`."""
        self._strips = [Strip(line, self._glyphs) for line in lines]
        self._since = now
        self._scrolled = None

    def pattern(self, phase):
        """A checkerboard, or its opposite: between both, every LED was lit and every one dark."""
        self._strips = []
        self._scrolled = 0
        stride = self.columns // 8
        for index in range(len(self._buffer)):
            self._buffer[index] = 0x55 if (index // stride + phase) & 1 else 0xAA
        self._panel.show(self._buffer)

    def frame(self, now, lit):
        """Scans one whole frame; a face that is not lit is not scanned, and so dark."""
        scrolled = self._scroll(now)
        if scrolled != self._scrolled:
            self._scrolled = scrolled
            self._draw(scrolled)
        if lit:
            self._panel.scan()

    def selftest(self):
        return {"glyphs": self._glyphs.intact()}

    def _scroll(self, now):
        for strip in self._strips:
            if strip.width > self.columns:
                return max(0, now - self._since - HOLD_MS) // SCROLL_MS
        return 0

    def _draw(self, scrolled):
        self._canvas.fill(0)
        y = (self._panel.height - LINE * len(self._strips)) // 2
        for strip in self._strips:
            if strip.width <= self.columns:
                self._canvas.blit(strip.picture, (self.columns - strip.width) // 2, y)
            else:
                round_trip = strip.width + GAP
                x = -(scrolled % round_trip)
                self._canvas.blit(strip.picture, x, y)
                self._canvas.blit(strip.picture, x + round_trip, y)
            y += LINE
        self._panel.show(self._buffer)
