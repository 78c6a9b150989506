"""How often something may be told: a few times at once, and seldom in the long run.

Here: what keeps a broken sensor from filling the journal, some nine hundred events, with its own
complaints. Not here: what is told.
"""


class Ration:
    """`burst` times at once, and one more for each `every_ms` that goes by."""

    def __init__(self, burst, every_ms):
        self.due = 0  # when all of the burst is there again; for a device that sleeps
        self._ahead_ms = (burst - 1) * every_ms
        self._every_ms = every_ms

    def take(self, now):
        """Whether it may be told at `now` (ms); then it counts as told."""
        due = max(self.due, now)
        if due - now > self._ahead_ms:
            return False
        self.due = due + self._every_ms
        return True


def of_faults():
    """The ration of a sensor's faults: 150 a day at most."""
    return Ration(6, 600_000)
