"""A doorway in front of an LD2450, which tells where up to three people are.

Here: who is who from frame to frame, and on which side of the doorway's line. Not here: the path
(`path`), and the radar's frames (drivers/ld2450.py).

The radar hangs inside and looks at the doorway, so farther than the line is outside. Each track has
a path of its own: zone a is beyond the line and zone b this side of it, and in a strip along the
line somebody is in both.
"""

from .path import BOTH, A, B, Path

_TRACKS = 3
_STRIP_MM = 250  # to either side of the line; the radar's error stays within it
_COME_MM = 800  # from the line: whoever is nearer comes to it
_GONE_MM = 500  # beyond it: whoever is farther has passed
_WATCH_MM = 1500  # from the line: nearer ones are followed
_STEP_MM = 700  # what anybody can move between two frames, with the radar's error
_LOST_MS = 800  # not seen for so long: gone
_LOOK_MS = 200  # the most that counts between two looks: else the device was busy itself


class _Track:
    def __init__(self, timeout_ms):
        self.path = Path(timeout_ms, 0, 0)
        self.x = 0
        self.beyond = 0  # how far outside of the line, in mm
        self.came_from = False  # from outside
        self.seen_at = 0
        self.live = False
        self.seen = False  # in this frame

    def zones(self):
        outside = self.beyond > 0
        if not self.path.where:
            self.came_from = outside
        if not self.live or abs(self.beyond) > (
            _COME_MM if outside == self.came_from else _GONE_MM
        ):
            return 0
        if self.beyond > _STRIP_MM:
            return A
        return B if self.beyond < -_STRIP_MM else BOTH


class RadarLane:
    """What the role asks of a sensor; `settings` has gate_mm, lane_mm and path_timeout_s."""

    PERIOD_MS = 10

    def __init__(self, settings, radar):
        self._radar = radar
        self._gate_mm = settings["gate_mm"]
        self._half_mm = settings["lane_mm"] >> 1
        self._tracks = [_Track(settings["path_timeout_s"] * 1000) for _ in range(_TRACKS)]
        self._targets = ()
        self._looked_at = 0
        self._silent_ms = 0

    def look(self, now):
        away = now - self._looked_at
        self._looked_at = now
        targets = self._radar.poll()
        if targets is None:
            if self._silent_ms < _LOST_MS:
                self._silent_ms += min(away, _LOOK_MS)
                return 0
            targets = ()  # a radar that says nothing sees nobody
        else:
            self._silent_ms = 0
        self._targets = targets
        for track in self._tracks:
            track.seen = False
        for x, y, _ in targets:
            beyond = y - self._gate_mm
            if abs(x) <= self._half_mm and abs(beyond) <= _WATCH_MM:
                self._follow(x, beyond, now)
        passed = 0
        for track in self._tracks:
            if track.live and now - track.seen_at >= _LOST_MS:
                track.live = False
            passed += track.path.step(track.zones(), now)
        return passed

    def busy(self):
        return any(track.path.busy() for track in self._tracks)

    def stuck(self, now, after_ms):
        return 0  # nobody can cover a radar

    def fault(self):
        return self._radar.fault()

    def shows(self, state):
        state["fault"] = self._radar.fault()

    def selftest(self):
        return {"sensor": self._radar.fault() is None}

    def sense(self):
        live = [(track.x, track.beyond) for track in self._tracks if track.live]
        return {"targets": self._targets, "bad": self._radar.bad}, {"tracks": live}

    def _follow(self, x, beyond, now):
        """The nearest track takes the target, else one that is free."""
        best = None
        least = _STEP_MM
        for track in self._tracks:
            if track.seen:
                continue
            if not track.live:
                if best is None:
                    best = track
            else:
                far = abs(x - track.x) + abs(beyond - track.beyond)
                if far < least:
                    best = track
                    least = far
        if best is None:
            return
        best.live = best.seen = True
        best.x = x
        best.beyond = beyond
        best.seen_at = now
