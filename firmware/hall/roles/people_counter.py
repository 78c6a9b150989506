"""Counts the people who pass a doorway, by the path they take through two beams.

Here: the strict path. Someone goes in by breaking a, then both, then b alone, then none; out is the
reverse. Whoever turns back, stands in the doorway or is seen by one beam only does not count (ST
UM2600 uses the same path for two zones). Not here: occupancy, which is the gateway's sum.
"""

from ..debounce import Debounce

A = 1
B = 2
BOTH = 3
GLITCH_MS = 5  # two samples: shorter is light or noise, as no body passes a beam that fast


class PeopleCounter:
    """Events: passage {"dir"}, and fault beam_stuck: 1 is beam a, 2 beam b, 3 both.

    A step back within the doorway is part of the path: only where it was entered and where it was
    left decides. A path on which nothing changes for `path_timeout_s` is a lingerer's and void
    until both beams are free.
    """

    PERIOD_MS = 5

    def __init__(self, settings, beams, ctx):
        self._beams = beams
        self._ctx = ctx
        self._timeout_ms = int(settings["path_timeout_s"] * 1000)
        self._stuck_ms = int(settings["stuck_s"] * 1000)
        self._debounce = Debounce(2, GLITCH_MS)
        self._changed_at = 0
        self._broken_at = [0, 0]
        self._stuck = 0
        self._where = 0  # the beams broken at the last step of the path
        self._entered = 0  # the beam the path began with
        self._crossed = False  # both were broken at once since then
        self._void = False
        self._in = 0
        self._out = 0

    def step(self, now):
        a, b = self._beams.read()
        changed = self._debounce.step(a | b << 1, now)
        if changed:
            self._changed_at = now
            for index in range(2):
                if changed >> index & 1:
                    self._broken_at[index] = now
            self._stuck &= self._debounce.stable
            self._walk(self._debounce.stable)
        elif self._where:
            if now - self._changed_at >= self._timeout_ms:
                self._void = True
            self._watch_stuck(now)

    def desire(self, desired, now):
        raise ValueError("a people counter has no desired state")

    def quiet(self):
        """Whether nobody would notice if the chip stood still for a moment."""
        return not self._where

    def state(self):
        return {"in": self._in, "out": self._out, "stuck": self._stuck}

    def identify(self, now):
        raise ValueError("a people counter has no lamp and no buzzer")

    def selftest(self):
        return {"beam_a": not self._where & A, "beam_b": not self._where & B}

    def sense(self):
        """Beams that are broken: for a technician who watches."""
        a, b = self._beams.read()
        stable = self._debounce.stable
        filtered = {"a": stable & A, "b": stable >> 1, "in": self._in, "out": self._out}
        return {"raw": {"a": a, "b": b}, "filtered": filtered}

    def _walk(self, where):
        before = self._where
        self._where = where
        if where == 0:
            self._leave(before)
        elif before == 0:
            self._entered = where
            self._crossed = False
            # Both at once: the direction was never seen.
            self._void = where == BOTH
        elif where == BOTH:
            self._crossed = True
        elif before != BOTH:
            # From one beam to the other without both: not one body.
            self._void = True

    def _leave(self, last):
        if self._void or not self._crossed or last in (self._entered, BOTH):
            return
        if self._entered == A:
            self._in += 1
            self._ctx.emit("passage", {"dir": "in"})
        else:
            self._out += 1
            self._ctx.emit("passage", {"dir": "out"})

    def _watch_stuck(self, now):
        stuck = 0
        for index in range(2):
            bit = 1 << index
            if self._where & bit and now - self._broken_at[index] >= self._stuck_ms:
                stuck |= bit
        if stuck & ~self._stuck:
            self._stuck = stuck
            self._ctx.emit("fault", {"code": "beam_stuck", "value": stuck})
