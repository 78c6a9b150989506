"""When a bouncing contact counts: debouncing by time, for up to 30 inputs at once.

Here: turning sampled levels into stable ones. Not here: what a press or a broken beam means.
"""


class Debounce:
    """An input changes when it has been seen at its new level, unbroken, for `hold_ms`; it becomes
    active after `close_ms` already, where that is given."""

    def __init__(self, count, hold_ms, close_ms=None):
        self.stable = 0  # the inputs that count as active, bit 0 is the first
        self._count = count
        self._hold_ms = hold_ms
        self._close_ms = hold_ms if close_ms is None else close_ms
        self._raw = 0
        self._since = [0] * count

    def step(self, levels, now):
        """Takes one sample of all inputs and returns the mask of those that changed by it."""
        stable = self.stable
        if levels == stable and levels == self._raw:
            return 0
        moved = levels ^ self._raw
        self._raw = levels
        changed = 0
        bit = 1
        for index in range(self._count):
            if moved & bit:
                self._since[index] = now
            hold_ms = self._hold_ms if stable & bit else self._close_ms
            if (levels ^ stable) & bit and now - self._since[index] >= hold_ms:
                changed |= bit
            bit <<= 1
        self.stable = stable ^ changed
        return changed
