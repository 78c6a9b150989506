"""What ST promises of the VL53L1X: how far, how exact, how wide. The simulation keeps within it.

Here: the tables of the data sheet DS12385 (DocID031281 Rev 3, November 2018) and their
interpolation. Not here: bodies and rays (`tof`).

All distances in mm, reflectances from 0 to 1 at 940 nm, ambient light in kcps/SPAD: 0 is dark, 5
usual office lighting, 50 a sunny day behind a window, 200 the sun on the sensor (section 3.1).
"""

import math
from functools import cache
from itertools import pairwise

#: Reflectance of the three charts (section 3.1).
CHARTS = (0.17, 0.54, 0.88)
#: Table 9, typical values in the dark, long mode, 100 ms: receivers of the region -> reach.
REACH_BY_RECEIVERS = {256: (1700, 3400, 3600), 64: (1190, 2540, 3080), 16: (450, 1430, 1700)}
#: Table 7, typical values by ambient light: reach with all 256 receivers, long mode, 100 ms.
REACH_BY_AMBIENT = {0: (1700, 3400, 3600), 50: (1140, 1540, 1660), 200: (680, 690, 730)}
#: Figure 6, 54 % chart in the dark: 3.1 m at 33 ms, where table 6 has 3.4 m at 100 ms.
REACH_AT_33_MS = 3100 / 3400
#: Section 3.2.2: the standard deviation, as shares of the distance, at worst and at best.
REPEATABILITY = (0.01, 0.0015)
#: Figure 6: the standard deviation at 33 ms in the dark.
SIGMA_MM_AT_33_MS = 5.0
#: Tables 6 and 7: accuracy and repeatability together, in the dark and in ambient light.
RANGING_ERROR_MM = (20, 25)
#: Table 9: the diagonal field of view of 16 x 16, 8 x 8 and 4 x 4 receivers, in degrees.
FIELD_OF_VIEW = {16: 27.0, 8: 20.0, 4: 15.0}
#: Table 5: how far the optical centre may be off, in receivers, along either side.
OPTICAL_CENTRE = 2
#: Figure 6 and section 2.5.2: the shortest time of a ranging in every mode.
SHORTEST_TIMING_MS = 33

# Where between dark and the sun the reach begins to fall: from table 7, in kcps/SPAD.
_KNEE = 30.0


def reach_mm(reflectance: float, receivers: int, timing_ms: int, ambient: float) -> float:
    """How far a target that fills the region is always seen (typical device).

    Interpolated between the charts and the tables in logarithms. Darker than the darkest chart, it
    falls with the root of the reflectance, as light does with the square of the distance.
    """
    charts = _charts(receivers, timing_ms, ambient)
    if reflectance < CHARTS[0]:
        return math.exp(charts[0][1]) * math.sqrt(reflectance / CHARTS[0])
    return math.exp(_between(charts, math.log(min(reflectance, CHARTS[-1]))))


def sigma_mm(distance_mm: float, margin: float, timing_ms: int) -> float:
    """Standard deviation of one ranging; `margin` is the reach divided by the distance, from 1."""
    worst, best = REPEATABILITY
    share = min(max(worst / margin**2, best), worst)
    floor = SIGMA_MM_AT_33_MS * math.sqrt(SHORTEST_TIMING_MS / timing_ms)
    return min(max(share * distance_mm, floor), worst * max(distance_mm, 500.0))


@cache
def _charts(receivers: int, timing_ms: int, ambient: float) -> list[tuple[float, float]]:
    """Logarithms of (reflectance, reach) of the three charts."""
    timing = math.log(REACH_AT_33_MS) * math.log(100 / timing_ms) / math.log(100 / 33)
    charts: list[tuple[float, float]] = []
    for chart, reflectance in enumerate(CHARTS):
        by_receivers = [
            (math.log(n), math.log(row[chart])) for n, row in _ascending(REACH_BY_RECEIVERS)
        ]
        by_ambient = [
            (math.log1p(light / _KNEE), math.log(row[chart] / REACH_BY_AMBIENT[0][chart]))
            for light, row in _ascending(REACH_BY_AMBIENT)
        ]
        reach = _between(by_receivers, math.log(receivers))
        reach += _between(by_ambient, math.log1p(ambient / _KNEE))
        charts.append((math.log(reflectance), reach + timing))
    return charts


def _ascending(
    table: dict[int, tuple[int, int, int]],
) -> list[tuple[int, tuple[int, int, int]]]:
    return sorted(table.items())


def _between(points: list[tuple[float, float]], x: float) -> float:
    """Straight lines through ascending points; the outer ones go on for ever."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1 or x1 == points[-1][0]:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    raise ValueError("points: at least two are needed")
