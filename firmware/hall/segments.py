"""The face of a seven-segment display: one line of as many characters as it has digits.

Here: scrolling what does not fit, and writing only what changes. Not here: what is said (the role)
and how a digit shows a letter (drivers/max7219).
"""

HOLD_MS = 1000
SCROLL_MS = 400  # per character
GAP = [" ", " "]


class SegmentFace:
    """Shows a line on `display`, which has digits, refresh_ms, show(text) and scan()."""

    hanzi = False
    rows = 1
    missing = 0

    def __init__(self, display):
        self.refresh_ms = display.refresh_ms
        self.columns = display.digits
        self._display = display
        self._cells = []
        self._since = 0
        self._shown = None

    def width(self, text):
        """How many columns `text` takes."""
        return len(_cells(text))

    def show(self, lines, now):
        """From now on the face shows this one line."""
        self._cells = _cells(lines[0])
        self._since = now

    def pattern(self, phase):
        """Every segment lit, or none."""
        self._cells = ["8."] * self.columns if phase else []

    def frame(self, now, lit):
        """Writes the digits if they changed."""
        text = self._visible(now) if lit else ""
        if text != self._shown:
            self._shown = text
            self._display.show(text)
        self._display.scan()

    def selftest(self):
        return {}

    def _visible(self, now):
        cells = self._cells
        start = 0
        if len(cells) > self.columns:
            cells = cells + GAP
            start = max(0, now - self._since - HOLD_MS) // SCROLL_MS % len(cells)
            cells = cells + cells
        return "".join(cells[start : start + self.columns])


def _cells(text):
    """What each digit shows: a character, with the full stop that follows it."""
    cells = []
    for char in text:
        if char == "." and cells and cells[-1][-1] != ".":
            cells[-1] += char
        else:
            cells.append(char)
    return cells
