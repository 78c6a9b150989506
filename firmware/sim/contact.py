"""A contact that people and things close: a key under a finger, a light beam with somebody in it.

Here: when it is closed, as intervals of the world's time (`moment`), with the bounce of real metal.
Not here: which pin it is on and which level that is (`gpio`).
"""

import random

from moment import now_us


class Contact:
    """Closed during the intervals it was told of; any number of them may overlap."""

    def __init__(self):
        self._intervals = []
        self._held = False

    def hold(self, closed):
        """Closed, whatever else it was told of, until it is held no more."""
        self._held = closed

    def close(self, start, end):
        """Closed from `start` up to, but not at, `end` (microseconds)."""
        self._intervals.append((start, end))

    def press(self, start, end, bounce):
        """Closed as by a finger: contact chatters for `bounce` us after touching and after leaving.

        The first edge is at `start` and the last at `end` + `bounce`.
        """
        if not bounce:
            self.close(start, end)
            return
        self._chatter(start, bounce)
        self.close(start + bounce, end)
        self._chatter(end + bounce // 8, bounce - bounce // 8)

    def closed(self):
        if self._held or not self._intervals:
            return self._held
        now = now_us()
        self._intervals = [each for each in self._intervals if each[1] > now]
        return any(start <= now for start, _ in self._intervals)

    def _chatter(self, start, length):
        end = start + length
        while start < end:
            touch = random.randint(length // 16, length // 6)
            self.close(start, min(start + touch, end))
            start += touch + random.randint(length // 16, length // 6) + 1
