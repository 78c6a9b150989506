"""Two published ways to count with a VL53L1X, restated by us from their descriptions.

Here: the state machines, fed with (zone, mm, status). Not here: our own tracker.

Both keep a list of the states of the two zones (1 the outer, 2 the inner, 3 both) and decide when
both are empty: 1, 3, 2 is a passage in, 2, 3, 1 out. The list has three places; what does not fit
overwrites the last.
"""

from collections import deque

from hall_tools.people.scenes import Direction
from hall_tools.people.tof import SIGNAL_FAIL, VALID, Reading


class PathList:
    """The list of states that both have, and the smallest of the last `samples` of each zone."""

    def __init__(self, samples: int, threshold_mm: tuple[int, int], forget: bool) -> None:
        self._threshold = threshold_mm
        self._last = deque[int](maxlen=samples), deque[int](maxlen=samples)
        self._forget = forget
        self._someone = [False, False]
        self._path: list[int] = []

    def take(self, zone: int, mm: int) -> Direction | None:
        self._last[zone].append(mm)
        someone = min(self._last[zone]) < self._threshold[zone]
        if someone == self._someone[zone]:
            return None
        self._someone[zone] = someone
        state = self._someone[0] + 2 * self._someone[1]
        if state:
            if len(self._path) == 3:
                self._path[2] = state
            else:
                self._path.append(state)
            return None
        path, self._path = self._path, []
        if len(path) == 3 and self._forget:
            for last in self._last:
                last.clear()
        return {(1, 3, 2): "in", (2, 3, 1): "out"}.get(tuple(path))  # pyright: ignore


_FAR = 4000


class StPath:
    """ST's way (UM2600): zones 8 x 16, 33 ms, someone is nearer than 1600 of 2400 mm.

    The nearest of the last Z = 10 of a zone counts, and those are forgotten after a path. At other
    heights the threshold keeps its share of the height. A ranging that is not valid is nobody.
    """

    COLUMNS = 8

    def __init__(self, height_mm: int) -> None:
        threshold = height_mm * 1600 // 2400
        self._path = PathList(10, (threshold, threshold), forget=True)

    def take(self, reading: Reading) -> Direction | None:
        valid = reading.status == VALID
        return self._path.take(reading.zone, reading.mm if valid else _FAR)


class RoodePath:
    """Roode's way (github.com/Lyr3x/Roode): zones 6 x 16, nearer than 85 % of the idle distance.

    The nearest of the last two of a zone counts. It takes no notice of the status; a ranging that
    has no distance at all is nobody. The idle distance is given to it as it truly is, also where
    the sensor would not see the floor: its own calibration would do worse.
    """

    COLUMNS = 6

    def __init__(self, height_mm: int) -> None:
        threshold = height_mm * 85 // 100
        self._path = PathList(2, (threshold, threshold), forget=False)

    def take(self, reading: Reading) -> Direction | None:
        told = reading.status in (VALID, SIGNAL_FAIL) and reading.mm > 0
        return self._path.take(reading.zone, reading.mm if told else _FAR)
