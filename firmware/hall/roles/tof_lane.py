"""A lane below a VL53L1X: two zones, each with its own floor, and who walks from one to the other.

Here: which zones are taken, from rangings that come zone after zone. Not here: the path (`path`),
the floor (`floor_level`), and the chip (drivers/vl53l1x.py).

A zone is taken by what is higher than `head_percent` leaves, and than a share of the highest that
has come since the lane was free; and it is free again below a share of what took it. So a gap
between two who follow each other is a gap, though shoulders still reach into both zones.
"""

from .floor_level import FloorLevel
from .path import BOTH, A, B, Path

# Of the highest a zone is taken from so many 16ths; of what took it, it is free below so many.
_TAKEN = 11
_FREE = 8
_UNSURE_MS = 250  # three rangings of each zone
_PAIR_MS = 750  # who turns in the doorway is in it for longer
_CLEAR_MS = 350  # and whoever lingered has gone: a queue behind them waits no longer
_QUIET_MS = 2000  # without anybody, before the floor is believed
_GAP_MS = 200  # a device that was busy itself for so long has missed who left, and where
_SILENT_MS = 1500  # no ranging for so long: whatever was there is not known to be there


class TofLane:
    """What the role asks of a sensor; `settings` has floor_mm, head_percent, path_timeout_s."""

    PERIOD_MS = 5

    def __init__(self, settings, sensor):
        self._sensor = sensor
        self._levels = [
            FloorLevel(settings["floor_mm"], settings["head_percent"]) for _ in range(2)
        ]
        self._path = Path(settings["path_timeout_s"] * 1000, _CLEAR_MS, _UNSURE_MS, _PAIR_MS)
        self._heights = [0, 0]
        self._highest = 0
        self._peaks = [0, 0]
        self._taken = 0
        self._taken_at = [0, 0]
        self._busy_at = 0
        self._heard_at = self._looked_at = 0
        self._silent_ms = 0
        self._unread = 0

    def look(self, now):
        away = now - self._looked_at
        self._looked_at = now
        ranging = self._sensor.poll()
        if ranging is None:
            if self._silent_ms < _SILENT_MS:
                self._silent_ms += min(away, _GAP_MS)  # more is not the sensor's silence
            elif self._taken:
                self._forget(now)
            return 0
        self._silent_ms = 0
        if now - self._heard_at >= _GAP_MS:
            self._unread = 3  # one of before, and then each zone as it is
        self._heard_at = now
        zone, mm, status = ranging
        level = self._levels[zone]
        height = level.height(mm, status)
        if level.gone(self._levels[1 - zone]):
            self._forget(now)
            return 0
        # The higher of two in a row may be a hand or a spark; both of them are a body.
        both = min(height, self._heights[zone])
        self._heights[zone] = height
        self._highest = max(self._highest, both)
        bit = 1 << zone
        least = level.least_mm
        if self._taken & bit:
            self._peaks[zone] = max(self._peaks[zone], both)
            limit = self._peaks[zone] * _FREE >> 4
        else:
            # Between two, or when one turns: whoever is already there again is soon seen.
            limit = self._highest * (_TAKEN if self._taken else _FREE) >> 4
        if height >= max(least, limit):
            if not self._taken & bit:
                self._taken_at[zone] = now
                self._peaks[zone] = 0
            self._taken |= bit
        else:
            self._taken &= ~bit
        if max(self._heights) >= least:
            self._busy_at = now
        elif not self._taken:
            self._highest = 0
        level.settle(now - self._busy_at >= _QUIET_MS)
        if self._unread > 1:
            self._unread -= 1  # what has gone meanwhile went from both zones at once
            return 0
        self._unread = 0
        return self._path.step(self._taken, now, both, now == self._busy_at)

    def busy(self):
        return self._path.busy()

    def stuck(self, now, after_ms):
        stuck = 0
        for zone in range(2):
            if self._taken >> zone & 1 and now - self._taken_at[zone] >= after_ms:
                stuck |= 1 << zone
        return stuck

    def fault(self):
        return self._sensor.fault()

    def shows(self, state):
        state["fault"] = self._sensor.fault()
        state["floor_mm"] = [level.shown_mm for level in self._levels]

    def selftest(self):
        return {
            "sensor": self._sensor.fault() is None,
            "zone_a": not self._taken & A,
            "zone_b": not self._taken & B,
        }

    def sense(self):
        a, b = self._levels
        raw = {"a_mm": a.mm, "a_status": a.status, "b_mm": b.mm, "b_status": b.status}
        filtered = {
            "a": self._taken & A,
            "b": self._taken >> 1,
            "a_above_mm": self._heights[0],
            "b_above_mm": self._heights[1],
            "a_floor_mm": a.floor_mm,
            "b_floor_mm": b.floor_mm,
        }
        return raw, filtered

    def _forget(self, now):
        self._taken = 0
        self._heights[0] = self._heights[1] = self._highest = 0
        self._path.step(BOTH, now)
        self._path.step(0, now)
