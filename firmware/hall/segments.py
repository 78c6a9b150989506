"""The face of a seven-segment display: one line of as many characters as it has digits.

Here: centring what fits, scrolling what does not, and writing only what changes. Not here: what is
said (the role) and how a digit shows a letter (drivers/max7219).
"""

from .drivers.max7219 import DASH, segments

HOLD_MS = 1000
SCROLL_MS = 400  # per character
GAP = [" ", " "]
MISSED = 32  # characters in RAM that seven segments cannot show; what is more is not counted


class SegmentFace:
    """Shows a line on `display`, which has digits, refresh_ms, show(text), scan() and
    dim(percent). Colours are all the same to it."""

    hanzi = False
    rows = 1

    def __init__(self, display):
        self.refresh_ms = display.refresh_ms
        self.columns = display.digits
        self._display = display
        self._cells = []
        self._missed = set()
        self._since = 0
        self._shown = None

    @property
    def missing(self):
        """How many different characters were to be shown and are a dash. At most MISSED."""
        return len(self._missed)

    def width(self, text):
        """How many columns `text` takes."""
        return len(_cells(text))

    def show(self, lines, now, colour):
        """From now on the face shows this one line."""
        cells = _cells(lines[0])
        self._cells = [" "] * ((self.columns - len(cells)) // 2) + cells
        self._since = now
        for cell in cells:
            dash = cell[0] != "-" and segments(cell[0]) == DASH
            if dash and len(self._missed) < MISSED:
                self._missed.add(cell[0])

    def pattern(self, phase):
        """Every segment lit, none, and the digits counted from the left, in turn."""
        count = [str(at % 10) for at in range(1, self.columns + 1)]
        self._cells = (["8."] * self.columns, [], count)[phase % 3]

    def frame(self, now, lit):
        """Writes the digits if they changed."""
        text = self._visible(now) if lit else ""
        if text != self._shown:
            self._shown = text
            self._display.show(text)
        self._display.scan()

    def dim(self, percent):
        self._display.dim(percent)

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
