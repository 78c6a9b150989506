"""How long to wait before trying again: doubling limits with full jitter. Pure; no clock, no sleep.

Full jitter (a random wait from 0 to the limit) spreads the devices of a hall after an outage that
hit all of them: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""


class Backoff:
    """first_ms, last_ms: the first and the greatest limit. randint(a, b): a..b, both included."""

    def __init__(self, first_ms, last_ms, randint):
        self._first = first_ms
        self._last = last_ms
        self._randint = randint
        self._limit = first_ms

    def wait_ms(self):
        """The next wait; the limit doubles each time, up to last_ms."""
        limit = self._limit
        self._limit = min(2 * limit, self._last)
        return self._randint(0, limit)

    def reset(self):
        """Start from the first limit again: things work."""
        self._limit = self._first
