"""Scenarios: who walks through the doorway, how, and what a counter should say of it.

Here: people's ways, the floor's changes, and the true passages. Not here: bodies (`bodies`), and
sensors. Every scenario is a function of a random generator alone.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from hall_tools.people.bodies import Body, Path, Person, adult, cart, child

Direction = Literal["in", "out"]

#: Metres from the line where a way begins and ends, out of any sensor's sight.
FAR = 2.4
#: Seconds of an empty lane before the first one comes, and after the last.
BEFORE, AFTER = 2.0, 1.5


class Passage(NamedTuple):
    """Somebody's middle crossed the line for good at `ms`."""

    ms: int
    direction: Direction


class Change(NamedTuple):
    """From `time` on: the floor `rise` m nearer, its reflectance x `shade`, the light as given."""

    time: float
    rise: float
    shade: float
    ambient: float | None


@dataclass
class Scene:
    """One trial: what happens, and what is true of it."""

    bodies: list[Body] = field(default_factory=list[Body])
    passages: list[Passage] = field(default_factory=list[Passage])
    changes: list[Change] = field(default_factory=list[Change])
    until: float = BEFORE

    def floor(self, time: float) -> Change:
        latest = Change(0.0, 0.0, 1.0, None)
        for change in self.changes:
            if change.time <= time:
                latest = change
        return latest

    def add(self, body: Body, passages: Sequence[Passage] = ()) -> None:
        self.bodies.append(body)
        self.passages.extend(passages)
        self.until = max(self.until, body.path.corners[-1][0] + AFTER)


class Way(NamedTuple):
    """A way along the lane and when it crosses the line."""

    corners: list[tuple[float, float, float]]
    crossed: float


def _straight(start: float, speed: float, side: int, y: float) -> Way:
    """Through the doorway; `side` 1 is in. `start`: when the line is crossed."""
    reach = FAR / speed
    return Way([(start - reach, -side * FAR, y), (start + reach, side * FAR, y)], start)


def _walk(scene: Scene, rng: random.Random, who: Person, start: float, **how: float) -> float:
    """Somebody goes straight through and is counted; returns the time of the line."""
    side = int(how.get("side", 0)) or rng.choice((-1, 1))
    speed = how.get("speed") or _speed(rng)
    y = how["y"] if "y" in how else _aside(rng)
    way = _straight(start, speed, side, y)
    scene.add(who.body(Path(way.corners)), [_passage(way.crossed, side)])
    return way.crossed


def _passage(time: float, side: int) -> Passage:
    return Passage(round(time * 1000), "in" if side > 0 else "out")


def _speed(rng: random.Random) -> float:
    """Metres per second through a door."""
    return min(max(rng.gauss(1.2, 0.2), 0.7), 1.8)


def _aside(rng: random.Random) -> float:
    """How far from the middle of a lane 0.8 m wide: bodies are 0.4 m wide themselves."""
    return min(max(rng.gauss(0, 0.09), -0.2), 0.2)


def _first(rng: random.Random, speed: float) -> float:
    """When the first one is on the line: late enough to have come from far."""
    return BEFORE + FAR / speed + rng.uniform(0, 0.5)


def single(rng: random.Random) -> Scene:
    scene, speed = Scene(), _speed(rng)
    _walk(scene, rng, adult(rng), _first(rng, speed), speed=speed)
    return scene


def dark(rng: random.Random) -> Scene:
    scene, speed = Scene(), _speed(rng)
    _walk(scene, rng, adult(rng, dark=True), _first(rng, speed), speed=speed)
    return scene


def a_child(rng: random.Random) -> Scene:
    scene, speed = Scene(), _speed(rng)
    _walk(scene, rng, child(rng), _first(rng, speed), speed=speed)
    return scene


def hurried(rng: random.Random) -> Scene:
    scene, speed = Scene(), rng.uniform(1.9, 2.8)
    _walk(scene, rng, adult(rng), _first(rng, speed), speed=speed)
    return scene


def slow(rng: random.Random) -> Scene:
    scene, speed = Scene(), rng.uniform(0.3, 0.6)
    _walk(scene, rng, adult(rng), _first(rng, speed), speed=speed)
    return scene


def pause(rng: random.Random) -> Scene:
    """Stops in the doorway for 0.5 to 2 s, then goes on."""
    scene, speed, side = Scene(), _speed(rng), rng.choice((-1, 1))
    at, stay, y = rng.uniform(-0.3, 0.3), rng.uniform(0.5, 2.0), _aside(rng)
    there = _first(rng, speed)
    gone = there + stay
    corners = [
        (there - (FAR + side * at) / speed, -side * FAR, y),
        (there, at, y),
        (gone, at, y),
        (gone + (FAR - side * at) / speed, side * FAR, y),
    ]
    crossed = gone + max(-at * side, 0.0) / speed  # they might have turned until then
    scene.add(adult(rng).body(Path(corners)), [_passage(crossed, side)])
    return scene


def _behind(rng: random.Random, gap: float, heads: int = 2) -> Scene:
    scene, speed, side = Scene(), _speed(rng), rng.choice((-1, 1))
    start = _first(rng, speed)
    for _ in range(heads):
        _walk(scene, rng, adult(rng), start, speed=speed, side=side)
        start += gap
    return scene


def tandem_1000(rng: random.Random) -> Scene:
    return _behind(rng, 1.0)


def tandem_700(rng: random.Random) -> Scene:
    return _behind(rng, 0.7)


def tandem_500(rng: random.Random) -> Scene:
    return _behind(rng, 0.5)


def queue(rng: random.Random) -> Scene:
    """Four in a row."""
    return _behind(rng, rng.uniform(0.8, 1.3), heads=4)


def with_cart(rng: random.Random) -> Scene:
    """Somebody pushes a cart: one person."""
    scene, speed, side = Scene(), rng.uniform(0.6, 1.1), rng.choice((-1, 1))
    start, y = _first(rng, speed) + 1.0, _aside(rng)
    ahead = _straight(start - rng.uniform(0.70, 0.85) / speed, speed, side, y)
    scene.add(cart(rng, Path(ahead.corners)))
    _walk(scene, rng, adult(rng), start, speed=speed, side=side, y=y)
    return scene


def child_ahead(rng: random.Random) -> Scene:
    """A child, and close behind it an adult: as low before high as a cart and who pushes it."""
    scene, speed, side = Scene(), min(_speed(rng), 1.2), rng.choice((-1, 1))
    start = _first(rng, speed)
    _walk(scene, rng, child(rng), start, speed=speed, side=side)
    _walk(scene, rng, adult(rng), start + rng.uniform(0.7, 1.2), speed=speed, side=side)
    return scene


def _turn(rng: random.Random, depth: float) -> Scene:
    """Comes as far as `depth` beyond the line (before it: negative), turns, and goes back."""
    scene, speed, side = Scene(), _speed(rng), rng.choice((-1, 1))
    there, stay, y = _first(rng, speed), rng.uniform(0.1, 1.2), _aside(rng)
    slower = speed * 0.6
    last = 0.25
    reach = FAR + depth - last
    corners = [
        (there - last / slower - reach / speed, -side * FAR, y),
        (there - last / slower, side * (depth - last), y),
        (there, side * depth, y),
        (there + stay, side * depth, y + rng.uniform(-0.05, 0.05)),
        (there + stay + last / slower, side * (depth - last), y),
        (there + stay + last / slower + reach / speed, -side * FAR, y),
    ]
    scene.add(adult(rng).body(Path(corners)))
    return scene


def u_turn_early(rng: random.Random) -> Scene:
    return _turn(rng, rng.uniform(-0.35, -0.05))


def u_turn_late(rng: random.Random) -> Scene:
    return _turn(rng, rng.uniform(-0.05, 0.20))


def linger(rng: random.Random) -> Scene:
    """Steps about in the doorway for 5 to 15 s, and leaves where they came from."""
    scene = Scene()
    _linger(scene, rng, rng.choice((-1, 1)))
    return scene


def busy(rng: random.Random) -> Scene:
    """A lingerer, who leaves, and a second after that four in a row, who wait no longer."""
    scene, side = Scene(), rng.choice((-1, 1))
    start = _linger(scene, rng, side) + rng.uniform(1.0, 1.4)
    for _ in range(4):
        _walk(scene, rng, adult(rng), start, speed=1.2, side=-side)
        start += rng.uniform(0.9, 1.5)
    return scene


def _linger(scene: Scene, rng: random.Random, side: int) -> float:
    """Returns when they turn to go."""
    now = _first(rng, 1.0)
    at, y = rng.uniform(-0.35, 0.05), _aside(rng)
    corners = [(now - (FAR + at), -side * FAR, y), (now, side * at, y)]
    until = now + rng.uniform(5, 15)
    while now < until:
        now += rng.uniform(0.5, 2.5)
        corners.append((now, side * at, y))
        to = rng.uniform(-0.40, 0.12)
        now += abs(to - at) / rng.uniform(0.2, 0.5) + 0.05
        at, y = to, _aside(rng)
        corners.append((now, side * at, y))
    corners.append((now + (FAR + at), -side * FAR, y))
    scene.add(adult(rng).body(Path(corners)))
    return now


def side_by_side(rng: random.Random) -> Scene:
    """Two abreast through a doorway of 1.2 m."""
    scene, speed, side = Scene(), _speed(rng), rng.choice((-1, 1))
    start = _first(rng, speed)
    for y in (-1, 1):
        after = start + rng.uniform(0, 0.15)
        _walk(scene, rng, adult(rng), after, speed=speed, side=side, y=y * rng.uniform(0.25, 0.30))
    return scene


def opposite(rng: random.Random) -> Scene:
    """Two who pass each other in the doorway."""
    scene, speed = Scene(), _speed(rng)
    start = _first(rng, speed)
    _walk(scene, rng, adult(rng), start, speed=speed, side=1, y=-rng.uniform(0.25, 0.30))
    after = start + rng.uniform(-0.3, 0.3)
    _walk(scene, rng, adult(rng), after, speed=speed, side=-1, y=rng.uniform(0.25, 0.30))
    return scene


def _three_more(scene: Scene, rng: random.Random) -> None:
    """Three single people, well apart, after whatever was."""
    start = scene.until + 3.0
    for _ in range(3):
        start = _walk(scene, rng, adult(rng), start + rng.uniform(0, 1)) + 4.0


def stand(rng: random.Random) -> Scene:
    """Stands below the sensor for two minutes, goes back, then three pass."""
    scene, side = Scene(), rng.choice((-1, 1))
    there, at, y = _first(rng, 1.0), rng.uniform(-0.15, 0.05), _aside(rng)
    gone = there + 120.0
    corners = [
        (there - (FAR + at), -side * FAR, y),
        (there, side * at, y),
        (gone, side * at, y),
        (gone + (FAR + at), -side * FAR, y),
    ]
    scene.add(adult(rng).body(Path(corners)))
    _three_more(scene, rng)
    return scene


def parked(rng: random.Random) -> Scene:
    """A cart is left in the lane for two minutes and taken away again, then three pass."""
    scene, side = Scene(), rng.choice((-1, 1))
    there, at = _first(rng, 0.8), rng.uniform(-0.5, 0.1)
    gone = there + 120.0
    corners = [
        (there - (FAR + at) / 0.8, -side * FAR, 0.0),
        (there, side * at, 0.0),
        (gone, side * at, 0.0),
        (gone + (FAR + at) / 0.8, -side * FAR, 0.0),
    ]
    scene.add(cart(rng, Path(corners)))
    _three_more(scene, rng)
    return scene


def below_at_power_on(rng: random.Random) -> Scene:
    """Somebody stands below the sensor when it starts, leaves after 20 s, then three pass."""
    scene, side = Scene(), rng.choice((-1, 1))
    at, y = rng.uniform(-0.1, 0.1), _aside(rng)
    corners = [(0.0, at, y), (20.0, at, y), (20.0 + FAR, side * FAR, y)]
    scene.add(adult(rng).body(Path(corners)))
    _three_more(scene, rng)
    return scene


def mat(rng: random.Random) -> Scene:
    """A mat 15 to 40 mm thick is laid, darker or brighter than the floor, then three pass."""
    scene = Scene()
    scene.changes.append(Change(BEFORE, rng.uniform(0.015, 0.040), rng.uniform(0.5, 1.3), None))
    scene.until = BEFORE + 60.0
    _three_more(scene, rng)
    return scene


def sun(rng: random.Random) -> Scene:
    """The sun comes through the window: 10 to 40 kcps/SPAD for a minute and on; three pass."""
    scene = Scene()
    light = rng.uniform(10, 40)
    for step in range(20):
        scene.changes.append(Change(BEFORE + 3.0 * step, 0.0, 1.0, 5 + (light - 5) * step / 19))
    scene.until = BEFORE + 60.0
    _three_more(scene, rng)
    return scene


class Scenario(NamedTuple):
    name: str
    make: Callable[[random.Random], Scene]
    share: float = 1.0  # of the trials: the long ones have fewer


SCENARIOS = (
    Scenario("single", single),
    Scenario("single, dark", dark),
    Scenario("child", a_child),
    Scenario("hurried", hurried),
    Scenario("slow", slow),
    Scenario("pause", pause),
    Scenario("tandem 1.0 s", tandem_1000),
    Scenario("tandem 0.7 s", tandem_700),
    Scenario("tandem 0.5 s", tandem_500),
    Scenario("queue of four", queue),
    Scenario("child ahead", child_ahead),
    Scenario("cart", with_cart),
    Scenario("U-turn, early", u_turn_early),
    Scenario("U-turn, late", u_turn_late),
    Scenario("linger", linger),
    Scenario("busy after", busy),
    Scenario("side by side", side_by_side),
    Scenario("opposite", opposite),
    Scenario("stands 2 min", stand, 0.1),
    Scenario("parked cart", parked, 0.3),
    Scenario("power-on below", below_at_power_on, 0.2),
    Scenario("mat laid", mat, 0.2),
    Scenario("sun comes", sun, 0.2),
)
