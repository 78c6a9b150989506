"""What the sensors of a scene report: the readings that a counter is fed with.

Here: a scene in, timed raw readings out. Not here: what a counter makes of them (`counters`).
"""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hall_tools.people.bodies import Body
from hall_tools.people.scenes import Scene
from hall_tools.people.tof import OVERHEAD_MS, Mounting, Reading, Sensor, near

#: A still scene is looked at afresh this often, in s: people sway slowly.
_STILL_S = 0.2


def tof(
    scene: Scene, mount: Mounting, columns: Sequence[int], rng: random.Random
) -> Iterator[tuple[Reading, ...]]:
    """The rangings of one sensor, zone after zone; one reading for each width of the zones.

    The widths see the same rays at the same time. A ranging is of the middle of its time.
    """
    sensor = Sensor(mount)
    period = mount.timing_ms + OVERHEAD_MS
    now, zone = rng.randrange(period), 0
    looked = -1.0
    view = sensor.view((), 0.0, 1.0)
    while now < scene.until * 1000:
        time = (now - mount.timing_ms / 2) / 1000
        floor = scene.floor(time)
        still = not any(_moves(body, time) for body in scene.bodies)
        if not still or time - looked >= _STILL_S or looked < 0:
            view = sensor.view(near(scene.bodies, time, mount.height), floor.rise, floor.shade)
            looked = time
        ambient = mount.ambient if floor.ambient is None else floor.ambient
        told: list[Reading] = []
        for width in columns:
            mm, status = sensor.tell(sensor.light(view, width, zone), width, ambient, rng)
            told.append(Reading(now, zone, mm, status))
        yield tuple(told)
        now += period
        zone = 1 - zone


def _moves(body: Body, time: float) -> bool:
    return body.path.moves(time - 0.1, time + 0.05)


class Broken(NamedTuple):
    """Two beams as the receivers' levels say, at `ms`."""

    ms: int
    a: int
    b: int


def beams(scene: Scene, rng: random.Random, period_ms: int = 5) -> Iterator[Broken]:
    """A pair of light barriers: at hip height, 10 to 20 cm apart, across the whole lane.

    A beam that an edge only grazes, by less than 5 mm, makes its receiver flicker.
    """
    spacing, height = rng.uniform(0.10, 0.20), rng.uniform(0.85, 1.05)
    for now in range(0, int(scene.until * 1000), period_ms):
        parts = [
            ellipsoid
            for body in scene.bodies
            if abs(body.path.at(now / 1000)[0]) < spacing + body.half_depth
            for ellipsoid in body.ellipsoids(now / 1000)
        ]
        bits: list[int] = []
        for x in (-spacing / 2, spacing / 2):
            covered = max(
                (_covered(x, height, part[0], part[2], part[3], part[5]) for part in parts),
                default=0.0,
            )
            bits.append(int(covered >= 1 or rng.random() < covered))
        yield Broken(now, *bits)


def _covered(x: float, z: float, at_x: float, at_z: float, half_x: float, half_z: float) -> float:
    """How surely a body breaks a beam: 0 beside it, 1 in it, in between within its lens."""
    if abs(z - at_z) >= half_z:
        return 0.0
    edge = half_x * (1 - ((z - at_z) / half_z) ** 2) ** 0.5
    return min(max((edge - abs(x - at_x)) / 0.005, 0.0), 1.0)


Target = tuple[int, int, int]  # x mm, y mm, speed cm/s


class Frame(NamedTuple):
    """One frame of the radar at `ms`: up to three targets."""

    ms: int
    targets: tuple[Target, ...]


#: The radar looks at the doorway from inside, at this distance from the line.
GATE_MM = 2000


def radar(scene: Scene, rng: random.Random) -> Iterator[Frame]:
    """An LD2450 on the wall opposite the doorway, 2 m inside, 10 frames a second.

    Published: 10 frames a second, three targets, 6 m, 60 degrees to each side, distance gates of
    360 mm in the manual's example. Not published: how exact a position is, and how near two people
    may be. Ours: 80 mm (one sigma) of slow error and 30 mm of noise, two nearer than 0.5 m are one,
    a target is lost for a moment in one of 50 frames, and one that stands still fades after 5 s.
    """
    drift: dict[int, tuple[float, float]] = {}
    still: dict[int, float] = {}
    for now in range(0, int(scene.until * 1000), 100):
        time = now / 1000
        seen: list[tuple[float, float, float]] = []
        for index, body in enumerate(scene.bodies):
            if not body.sways:
                continue
            (x, y), (x0, y0) = body.path.at(time), body.path.at(time - 0.1)
            still[index] = 0.0 if (x, y) != (x0, y0) else still.get(index, 0.0) + 0.1
            off = drift.get(index, (0.0, 0.0))
            off = (0.9 * off[0] + rng.gauss(0, 0.035), 0.9 * off[1] + rng.gauss(0, 0.035))
            drift[index] = off
            if abs(x) >= 2.39 or still[index] > 5 or rng.random() < 0.02:
                continue
            speed = (x - x0) / 0.1
            seen.append((y + off[1], GATE_MM / 1000 - (x + off[0]), -speed))
        merged: list[tuple[float, float, float]] = []
        for each in seen:
            for at, other in enumerate(merged):
                if (each[0] - other[0]) ** 2 + (each[1] - other[1]) ** 2 < 0.25:
                    merged[at] = tuple((p + q) / 2 for p, q in zip(each, other, strict=True))  # pyright: ignore
                    break
            else:
                merged.append(each)
        yield Frame(
            now,
            tuple(
                (
                    round(1000 * (x + rng.gauss(0, 0.03))),
                    round(1000 * (y + rng.gauss(0, 0.03))),
                    round(100 * speed),
                )
                for x, y, speed in merged[:3]
            ),
        )
