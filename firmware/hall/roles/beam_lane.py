"""A lane with two light barriers across it.

Here: which beams are broken, without the flicker. Not here: the path (`path`), the pins
(drivers/beams.py).
"""

from ..debounce import Debounce
from .path import A, B, Path

GLITCH_MS = 5  # two samples: shorter is light or noise, as no body passes a beam that fast
_ARM_MS = 150  # so long the light may come through between an arm and its body


class BeamLane:
    """What the role asks of a sensor; `settings` has path_timeout_s."""

    PERIOD_MS = 5

    def __init__(self, settings, beams):
        self._beams = beams
        self._path = Path(settings["path_timeout_s"] * 1000, 0, _ARM_MS)
        self._debounce = Debounce(2, GLITCH_MS)
        self._broken_at = [0, 0]

    def look(self, now):
        a, b = self._beams.read()
        changed = self._debounce.step(a | b << 1, now)
        for index in range(2):
            if changed >> index & 1:
                self._broken_at[index] = now
        return self._path.step(self._debounce.stable, now)

    def busy(self):
        return self._path.busy()

    def stuck(self, now, after_ms):
        stuck = 0
        for index in range(2):
            bit = 1 << index
            if self._path.where & bit and now - self._broken_at[index] >= after_ms:
                stuck |= bit
        return stuck

    def fault(self):
        return None

    def shows(self, state):
        pass

    def selftest(self):
        where = self._path.where
        return {"beam_a": not where & A, "beam_b": not where & B}

    def sense(self):
        a, b = self._beams.read()
        stable = self._debounce.stable
        return {"a": a, "b": b}, {"a": stable & A, "b": stable >> 1}
