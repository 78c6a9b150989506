"""Counts the people who pass a doorway: one role for beams, a distance sensor and a radar.

Here: passages, faults and sums, whatever sensor the lane has. Not here: the path (`path`), the
sensors' lanes (`beam_lane`, `tof_lane`, `radar_lane`), and occupancy, which is the gateway's sum.
docs/counting.md tells how it counts, how well, and what it cannot see.

What is used of a lane: PERIOD_MS; look(now), the passages since the last look, IN and OUT of `path`
added up; busy(); stuck(now, after_ms), zones that have been taken for so long: 1 is a, 2 is b, 3
both; fault(), None or a short code; shows(state), which adds to it; selftest(); sense() -> raw,
filtered.
"""

from .. import ration
from .path import OUT

# More than a lane lets through, for longer than a crowd comes: then it is a sensor that flickers.
CROWD = 120
LEAST_MS = 1000
MOST = 9999  # an event has room for four digits


class PeopleCounter:
    """Events: passage {"dir"}, and fault: beam_stuck, value the zones; the sensor's own, 0; or
    too_many, value the passages since the start that were not counted, for nobody passes so fast.

    What comes and goes tells its faults now and then (ration.py); state() has each."""

    def __init__(self, settings, lane, ctx):
        self.PERIOD_MS = lane.PERIOD_MS
        self._lane = lane
        self._ctx = ctx
        self._stuck_ms = settings["stuck_s"] * 1000
        self._stuck = 0
        self._in = 0
        self._out = 0
        self._uncounted = 0
        self._passages = ration.Ration(CROWD, LEAST_MS)
        # What has been told of each kind of fault.
        self._told_stuck = self._told_uncounted = 0
        self._told_fault = None
        self._rations = [ration.of_faults() for _ in range(3)]

    def step(self, now):
        passed = self._lane.look(now)
        if passed:
            self._count(passed, now)
        self._stuck = stuck = self._lane.stuck(now, self._stuck_ms)
        self._told_stuck &= stuck
        if stuck != self._told_stuck and self._tell(0, "beam_stuck", stuck, now):
            self._told_stuck = stuck
        fault = self._lane.fault()
        if fault is None:
            self._told_fault = None
        elif fault != self._told_fault and self._tell(1, fault, 0, now):
            self._told_fault = fault
        uncounted = self._uncounted
        if uncounted != self._told_uncounted and self._tell(2, "too_many", uncounted, now):
            self._told_uncounted = uncounted

    def desire(self, desired, now):
        raise ValueError("a people counter has no desired state")

    def quiet(self):
        """Whether nobody would notice if the chip stood still for a moment."""
        return not self._lane.busy()

    def state(self):
        state = {"in": self._in, "out": self._out, "stuck": self._stuck}
        self._lane.shows(state)
        return state

    def identify(self, now):
        raise ValueError("a people counter has no lamp and no buzzer")

    def selftest(self):
        return self._lane.selftest()

    def sense(self):
        """What the sensor says and what is made of it: for a technician who watches."""
        raw, filtered = self._lane.sense()
        filtered["in"] = self._in
        filtered["out"] = self._out
        return {"raw": raw, "filtered": filtered}

    def _tell(self, kind, code, value, now):
        """Whether that was told: not when it is told too often."""
        if not self._rations[kind].take(now):
            return False
        self._ctx.emit("fault", {"code": code, "value": min(value, MOST)})
        return True

    def _count(self, passed, now):
        for is_in in [True] * (passed % OUT) + [False] * (passed // OUT):
            if not self._passages.take(now):
                self._uncounted += 1
                continue
            if is_in:
                self._in += 1
            else:
                self._out += 1
            self._ctx.emit("passage", {"dir": "in" if is_in else "out"})
