"""A VL53L1X above the lane, looking down: rays, light that comes back, what the chip tells.

Here: from bodies to (zone, mm, status), one zone a ranging. Not here: registers and timing of the
bus, which the model in firmware/sim has, and the figures that it keeps within (`data_sheet`).

How it is modelled:
- A receiver sees a blurred cone, not a needle: with 1.2 degrees from receiver to receiver and a
  blur of 4.5 degrees (one sigma), regions of 16, 8 and 4 receivers a side are 27.7, 18.0 and 15.7
  degrees wide in the diagonal at half of the sensitivity; table 9 says 27, 20 and 15.
- What comes back along a ray is reflectance x cosine / distance squared (a matt surface that the
  light does not fill). The chip averages the times of all photons, so it tells one distance, the
  mean by signal: a body that covers a part of a zone gives one between itself and the floor (a
  maintainer at ST, qa-community.st.com, "VL53L1X: unexplained distance change").
- The light of a ranging belongs to a reflectance and a distance, and those to a reach, within which
  all rangings are valid (section 3.1, condition 4). What is promised ends there. Beyond, it fades
  as counted photons do, which is our assumption: the signal stands 8 sigma out of the noise at the
  reach, is valid from 5, told as too weak ("signal fail", with a distance three times as noisy)
  from 3, and else nothing (phase out of bounds, no distance).
"""

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache
from operator import mul
from typing import NamedTuple

from hall_tools.people import data_sheet
from hall_tools.people.bodies import Body, Ellipsoid

VALID = 0
SIGNAL_FAIL = 2
OUT_OF_BOUNDS = 4

#: Receivers of a zone's other side: zones are N x 16 (UM2600).
LONG_SIDE = 16
#: From one ranging to the next, beyond its time: reading it out and moving the zone, in ms.
OVERHEAD_MS = 5

_PITCH = 1.2
_BLUR = 4.5
_STEP_X, _STEP_Y = 2.4, 3.2
_REACH_X, _REACH_Y = 8, 6  # steps of the rays to either side of the optical centre
_SIGNAL_AT_REACH, _SIGNAL_VALID, _SIGNAL_WEAK = 8.0, 5.0, 3.0  # in sigma
_WEAK_SIGMA = 0.03


class Reading(NamedTuple):
    """One ranging, as the driver gives it. `ms` is when it was read out."""

    ms: int
    zone: int
    mm: int
    status: int


class Mounting(NamedTuple):
    """One sensor above one floor. Lengths in metres."""

    height: float
    floor_reflectance: float
    ambient: float  # kcps/SPAD
    timing_ms: int
    unit: float  # this device's reach, as a share of a typical one's
    offset_mm: float  # this device's own error
    tilt_x: float  # degrees, of the mounting and the optical centre together
    tilt_y: float

    def floor_seen(self) -> float:
        """The floor's reach divided by its distance: seen always from 1, never below 0.8."""
        reach = data_sheet.reach_mm(self.floor_reflectance, 128, self.timing_ms, self.ambient)
        return reach * self.unit / (self.height * 1000)


def mounting(rng: random.Random, height: float, timing_ms: int = 33) -> Mounting:
    """Some sensor of the series above some floor under office light."""
    shift = data_sheet.OPTICAL_CENTRE * _PITCH
    return Mounting(
        height=height,
        floor_reflectance=rng.uniform(0.3, 0.7),
        ambient=rng.uniform(2.0, 8.0),
        timing_ms=timing_ms,
        unit=rng.uniform(0.9, 1.0),
        offset_mm=rng.uniform(-15, 15),
        tilt_x=round(rng.uniform(-shift, shift) / 2 + rng.gauss(0, 0.7), 0),
        tilt_y=round(rng.uniform(-shift, shift) / 2 + rng.gauss(0, 0.7), 0),
    )


class Ray(NamedTuple):
    """One direction, z is -1, and the length of that."""

    x: float
    y: float
    length: float


@cache
def rays(tilt_x: float, tilt_y: float) -> tuple[Ray, ...]:
    """The directions that any zone sees, along x first."""
    made: list[Ray] = []
    for across, along in _angles():
        x, y = math.tan(math.radians(across + tilt_x)), math.tan(math.radians(along + tilt_y))
        made.append(Ray(x, y, math.sqrt(x * x + y * y + 1)))
    return tuple(made)


@cache
def weights(columns: int, zone: int) -> tuple[float, ...]:
    """What each ray adds to a zone of `columns` x 16 receivers at its end of the array; sum 1."""
    centre = (LONG_SIDE - columns) / 2 * _PITCH * (1 if zone else -1)
    shares = [
        _seen(across - centre, columns) * _seen(along, LONG_SIDE) for across, along in _angles()
    ]
    return tuple(share / sum(shares) for share in shares)


@cache
def _angles() -> tuple[tuple[float, float], ...]:
    """Degrees across and along the doorway of every ray that adds a hundredth or more."""
    steps_x, steps_y = range(-_REACH_X, _REACH_X + 1), range(-_REACH_Y, _REACH_Y + 1)
    return tuple(
        (x * _STEP_X, y * _STEP_Y)
        for x in steps_x
        for y in steps_y
        if _seen(abs(x) * _STEP_X - 4 * _PITCH, 8) * _seen(y * _STEP_Y, LONG_SIDE) > 0.01
    )


def _seen(degrees: float, receivers: int) -> float:
    """How much a row of receivers sees at an angle from its middle."""
    half, sigma = receivers * _PITCH / 2, _BLUR * math.sqrt(2)
    return (math.erf((degrees + half) / sigma) - math.erf((degrees - half) / sigma)) / 2


class View(NamedTuple):
    """What each ray sees: how far it is, in metres, and the signal that comes back."""

    distances: list[float]
    signals: list[float]


class Light(NamedTuple):
    """All that comes back to a zone: the sum, and the mean distance by signal in metres."""

    signal: float
    distance: float


class Sensor:
    """One sensor; what it sees can be asked of zones of any width."""

    def __init__(self, mount: Mounting) -> None:
        self.mount = mount
        self._rays = rays(mount.tilt_x, mount.tilt_y)
        self._xs = [ray.x for ray in self._rays]
        self._empty: dict[tuple[float, float], View] = {}
        self._lit_view: View | None = None
        self._lit: dict[tuple[int, int], Light] = {}

    def view(self, ellipsoids: Sequence[Ellipsoid], floor_rise: float, shade: float) -> View:
        """What every ray sees. `floor_rise`: metres by which the floor is nearer; `shade`: by which
        its reflectance is multiplied."""
        height = self.mount.height - floor_rise
        seen = self._floor(height, self.mount.floor_reflectance * shade)
        if ellipsoids:
            seen = View(seen.distances[:], seen.signals[:])
            for ellipsoid in ellipsoids:
                self._cast(ellipsoid, seen)
        return seen

    def light(self, view: View, columns: int, zone: int) -> Light:
        """What comes back to a zone `columns` wide. Reckoned once for a view that stays."""
        if view is not self._lit_view:
            self._lit_view, self._lit = view, {}
        light = self._lit.get((columns, zone))
        if light is None:
            signals = list(map(mul, view.signals, weights(columns, zone)))
            total = sum(signals)
            light = Light(total, sum(map(mul, signals, view.distances)) / total)
            self._lit[columns, zone] = light
        return light

    def _floor(self, height: float, reflectance: float) -> View:
        key = (height, reflectance)
        if key not in self._empty:
            self._empty[key] = View(
                [height * ray.length for ray in self._rays],
                [reflectance / ray.length / (height * ray.length) ** 2 for ray in self._rays],
            )
        return self._empty[key]

    def _cast(self, ellipsoid: Ellipsoid, seen: View) -> None:
        """Puts the hits that are nearer than what each ray has seen so far."""
        x, y, z, half_x, half_y, half_z, reflectance = ellipsoid
        down = self.mount.height - z
        if down <= half_z:
            return
        # In the ellipsoid's own measure it is a ball of radius 1 and a ray is still a line.
        centre_x, centre_y, centre_z = x / half_x, y / half_y, down / half_z
        beyond = centre_x**2 + centre_y**2 + centre_z**2 - 1
        reach_x, reach_y = half_x / (down - half_z), half_y / (down - half_z)
        low_x, high_x = x / down - reach_x - 0.03, x / down + reach_x + 0.03
        low_y, high_y = y / down - reach_y - 0.03, y / down + reach_y + 0.03
        to_z = 1 / half_z
        square_z, along_z = to_z * to_z, to_z * centre_z
        flat_x, flat_y, flat_z = half_x**2, half_y**2, half_z**2
        rays, distances, signals, root = self._rays, seen.distances, seen.signals, math.sqrt
        for index in range(bisect_left(self._xs, low_x), bisect_right(self._xs, high_x)):
            ray_x, ray_y, length = rays[index]
            if not low_y <= ray_y <= high_y:
                continue
            to_x, to_y = ray_x / half_x, ray_y / half_y
            square = to_x * to_x + to_y * to_y + square_z
            along = to_x * centre_x + to_y * centre_y + along_z
            inside = along * along - square * beyond
            if inside <= 0:
                continue
            far = (along - root(inside)) / square
            distance = far * length
            if distances[index] <= distance:
                continue
            normal_x = (ray_x * far - x) / flat_x
            normal_y = (ray_y * far - y) / flat_y
            normal_z = (far - down) / flat_z
            steep = -(ray_x * normal_x + ray_y * normal_y + normal_z) / (
                length * root(normal_x**2 + normal_y**2 + normal_z**2)
            )
            distances[index] = distance
            signals[index] = reflectance * max(steep, 0.0) / distance**2

    def tell(
        self, light: Light, columns: int, ambient: float, rng: random.Random
    ) -> tuple[int, int]:
        """(mm, status) that the chip makes of the light."""
        distance = light.distance * 1000
        reflectance = light.signal * light.distance**2
        timing = self.mount.timing_ms
        reach = data_sheet.reach_mm(reflectance, columns * LONG_SIDE, timing, ambient)
        margin = reach * self.mount.unit / distance
        signal = _SIGNAL_AT_REACH * margin**2 + rng.gauss(0, 1)
        if margin >= 1 or signal >= _SIGNAL_VALID:
            status, sigma = VALID, data_sheet.sigma_mm(distance, max(margin, 1.0), timing)
        elif signal >= _SIGNAL_WEAK:
            status, sigma = SIGNAL_FAIL, _WEAK_SIGMA * distance
        else:
            return 0, OUT_OF_BOUNDS
        told = distance + self.mount.offset_mm + rng.gauss(0, sigma)
        return min(max(round(told), 1), 4000), status


def near(bodies: Sequence[Body], time: float, height: float) -> list[Ellipsoid]:
    """The parts of all bodies that are anywhere near the cone."""
    widest = 0.45 * height
    return [
        ellipsoid
        for body in bodies
        if abs(body.path.at(time)[0]) < widest + body.half_depth
        for ellipsoid in body.ellipsoids(time)
    ]
