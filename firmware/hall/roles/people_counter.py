"""Counts the people who pass a doorway: one role for beams, a distance sensor and a radar.

Here: passages, faults and sums, whatever sensor the lane has. Not here: the path (`path`), the
sensors' lanes (`beam_lane`, `tof_lane`, `radar_lane`), and occupancy, which is the gateway's sum.
docs/counting.md tells how it counts, how well, and what it cannot see.

What is used of a lane: PERIOD_MS; look(now), the passages since the last look, IN and OUT of `path`
added up; busy(); stuck(now, after_ms), zones that have been taken for so long: 1 is a, 2 is b, 3
both; fault(), None or a short code; shows(state), which adds to it; selftest(); sense() -> raw,
filtered.
"""

from .path import OUT


class PeopleCounter:
    """Events: passage {"dir"}, and fault: beam_stuck, value the zones, or the sensor's own, 0."""

    def __init__(self, settings, lane, ctx):
        self.PERIOD_MS = lane.PERIOD_MS
        self._lane = lane
        self._ctx = ctx
        self._stuck_ms = settings["stuck_s"] * 1000
        self._stuck = 0
        self._fault = None
        self._in = 0
        self._out = 0

    def step(self, now):
        passed = self._lane.look(now)
        if passed:
            self._count(passed)
        stuck = self._lane.stuck(now, self._stuck_ms)
        if stuck != self._stuck:
            more = stuck & ~self._stuck
            self._stuck = stuck
            if more:
                self._ctx.emit("fault", {"code": "beam_stuck", "value": stuck})
        fault = self._lane.fault()
        if fault != self._fault:
            self._fault = fault
            if fault:
                self._ctx.emit("fault", {"code": fault, "value": 0})

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

    def _count(self, passed):
        for _ in range(passed % OUT):
            self._in += 1
            self._ctx.emit("passage", {"dir": "in"})
        for _ in range(passed // OUT):
            self._out += 1
            self._ctx.emit("passage", {"dir": "out"})
