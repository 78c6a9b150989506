"""Unix time on a device without a battery: an offset to the uptime, set by the gateway's acks.

Here: the offset. Not here: uptime itself, which is the truth about order and durations; the time of
day is an annotation.
"""

# An ack is late by its way through the network, so the largest offset of many is the best one.
# A clock that is ahead by more than this is not late acks but drift or a corrected gateway.
AHEAD_MS = 1000


class Clock:
    """`uptime()` gives ms since boot."""

    def __init__(self, uptime):
        self._uptime = uptime
        self._offset = None

    def set(self, unix_ms):
        """It is `unix_ms` now, or was a moment ago; small steps back are not taken."""
        offset = unix_ms - self._uptime()
        if self._offset is None or not 0 <= self._offset - offset <= AHEAD_MS:
            self._offset = offset

    def unix_ms(self):
        """Unix time in ms, or None before the first set()."""
        if self._offset is None:
            return None
        return self._uptime() + self._offset
