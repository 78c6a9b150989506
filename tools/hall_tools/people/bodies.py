"""Bodies that sensors see: ellipsoids that move, with the reflectance of hair, cloth and carts.

Here: shapes, sizes and gait. Not here: who goes where (`scenes`), and sensors.

Lengths in metres, times in seconds. The doorway's line is x = 0; inside is where x > 0; y runs
along the line; z is the height above the floor. Sizes: shoulder breadth 0.36 to 0.48 m and body
depth 0.22 to 0.30 m with clothes; the shoulders are at 0.82 of the height (Drillis and Contini's
proportions). Reflectances at 940 nm are our assumption, as we found none published for hair and
few for cloth: most hair and dyes are brighter there than they look (hair absorbs less the longer
the wave, doi 10.1117/1.3116712), but black cloth can stay below 12 % (US patent 11656388). So
people are of two kinds, ordinary and dark, and dark ones have a scenario of their own.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import NamedTuple

_TIME = itemgetter(0)

#: (x, y, z of the centre; half lengths along x, y, z; reflectance)
Ellipsoid = tuple[float, float, float, float, float, float, float]


class Path(NamedTuple):
    """Where somebody is: corners (time, x, y), straight in between, still before and after."""

    corners: Sequence[tuple[float, float, float]]

    def at(self, time: float) -> tuple[float, float]:
        corners = self.corners
        if time < corners[0][0]:
            return corners[0][1:]
        if time >= corners[-1][0]:
            return corners[-1][1:]
        index = bisect_right(corners, time, key=_TIME)
        (t0, x0, y0), (t1, x1, y1) = corners[index - 1], corners[index]
        share = (time - t0) / (t1 - t0)
        return x0 + (x1 - x0) * share, y0 + (y1 - y0) * share

    def moves(self, time: float, until: float) -> bool:
        """Whether it is elsewhere at `until`, which is later."""
        if until < self.corners[0][0] or time >= self.corners[-1][0]:
            return False
        return self.at(time) != self.at(until)


class Body(NamedTuple):
    """Something that moves as one: `shape(x, y, time, walking)` gives its ellipsoids."""

    path: Path
    shape: Callable[[float, float, float, bool], list[Ellipsoid]]
    half_depth: float  # of all of it, for a quick look whether it is near
    sways: bool

    def ellipsoids(self, time: float) -> list[Ellipsoid]:
        x, y = self.path.at(time)
        return self.shape(x, y, time, self.path.moves(time - 0.05, time + 0.05))


class Person(NamedTuple):
    """What of a person matters to the sensors."""

    height: float
    depth: float
    breadth: float
    hair: float
    cloth: float
    swing: float  # of the middle of the arms, to each side; hands swing twice as far
    stride_hz: float
    phase: float

    def shape(self, x: float, y: float, time: float, walking: bool) -> list[Ellipsoid]:
        height, half_depth, half_breadth = self.height, self.depth / 2, self.breadth / 2
        beat = math.tau * self.stride_hz * time + self.phase
        if walking:
            y += 0.02 * math.sin(beat / 2)
            lean, swing, bob = 0.03, self.swing * math.sin(beat / 2), 0.015 * math.sin(beat)
        else:
            # Nobody stands like a post: two slow sways, of different lengths.
            x += 0.012 * math.sin(0.9 * time + self.phase) + 0.006 * math.sin(2.3 * time)
            lean, swing, bob = 0.0, 0.0, 0.0
        head_z = 0.068 * height
        side = half_breadth + 0.03
        return [
            (
                *(x + lean, y, height - head_z + bob),
                *(0.059 * height, 0.046 * height, head_z),
                self.hair,
            ),
            (
                *(x, y, 0.765 * height + bob),
                *(0.7 * half_depth, half_breadth, 0.055 * height),
                self.cloth,
            ),
            (x, y, 0.55 * height + bob, half_depth, 0.85 * half_breadth, 0.23 * height, self.cloth),
            (x + swing, y + side, 0.52 * height, 0.06, 0.045, 0.15 * height, self.cloth),
            (x - swing, y - side, 0.52 * height, 0.06, 0.045, 0.15 * height, self.cloth),
        ]

    def body(self, path: Path) -> Body:
        return Body(path, self.shape, self.depth / 2 + self.swing + 0.1, True)


def adult(rng: random.Random, dark: bool = False) -> Person:
    """An adult of 1.50 to 1.95 m; `dark`: black hair and dark clothes."""
    height = min(max(rng.gauss(1.68, 0.09), 1.50), 1.95)
    return _person(rng, height, 1.0, dark)


def child(rng: random.Random) -> Person:
    """A child of 1.05 to 1.40 m, six to eleven years old."""
    height = rng.uniform(1.05, 1.40)
    return _person(rng, height, 0.75, False)


def _person(rng: random.Random, height: float, scale: float, dark: bool) -> Person:
    return Person(
        height=height,
        depth=rng.uniform(0.22, 0.30) * scale,
        breadth=rng.uniform(0.36, 0.48) * scale,
        hair=rng.uniform(0.05, 0.12) if dark else rng.uniform(0.12, 0.45),
        cloth=rng.uniform(0.08, 0.25) if dark else rng.uniform(0.25, 0.75),
        swing=rng.uniform(0.03, 0.12) * scale,
        stride_hz=rng.uniform(1.6, 2.1),
        phase=rng.uniform(0, math.tau),
    )


def cart(rng: random.Random, path: Path) -> Body:
    """A shopping cart or a trolley: 0.8 to 1.0 m long, 1.0 m high, less where its basket is."""
    half = rng.uniform(0.40, 0.50)
    wide = rng.uniform(0.24, 0.30)
    shine = rng.uniform(0.2, 0.6)

    def shape(x: float, y: float, time: float, walking: bool) -> list[Ellipsoid]:
        parts = [(-0.66, 0.85), (-0.33, 0.80), (0.0, 0.75), (0.33, 0.70), (0.66, 0.65)]
        return [(x + half * at, y, top - 0.25, half * 0.40, wide, 0.25, shine) for at, top in parts]

    return Body(path, shape, half + 0.1, False)
