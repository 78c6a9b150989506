"""How well the people counters count simulated people, scenario by scenario.

Here: trials of every scenario with every sensor, the yardsticks on the same traces, and the sums.
Not here: people, sensors and scoring (`hall_tools.people`), tables (`hall_tools.commands`).

The tracker was tuned on seeds 1000 to 1999. A result counts on any other.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hall_tools.people import traces
from hall_tools.people.counters import Counter, profile
from hall_tools.people.scenes import SCENARIOS, Direction, Passage, Scenario, Scene
from hall_tools.people.score import Score
from hall_tools.people.tof import Reading, mounting
from hall_tools.people.yardsticks import RoodePath, StPath

#: Seeds that settings and constants were chosen on.
TUNED = range(1000, 2000)
#: Where a VL53L1X hangs, in m.
HEIGHTS = (2.4, 2.8)
#: How often `measure` tells what comes next.
STEPS = len(SCENARIOS) * (len(HEIGHTS) + 2)
OURS, ST, ROODE = "Hallkit", "ST", "Roode"


@dataclass(frozen=True)
class Row:
    """One scenario with one sensor: a score for each who counted it. `height`: of a VL53L1X."""

    sensor: str
    height: float | None
    scenario: str
    scores: dict[str, Score]

    def as_json(self) -> dict[str, Any]:
        return {
            "sensor": self.sensor,
            "height_m": self.height,
            "scenario": self.scenario,
            "scores": {name: score.as_json() for name, score in self.scores.items()},
        }


def measure(
    seed: int, trials: int, heard: Callable[[str], None], only: Iterable[str] | None = None
) -> list[Row]:
    """Every scenario (or `only` these), `trials` times, fewer of the long ones; the same for every
    seed. A minute and a half for 60 trials."""
    chosen = [each for each in SCENARIOS if only is None or each.name in only]
    rows: list[Row] = []
    for height in HEIGHTS:
        for scenario in chosen:
            heard(f"VL53L1X at {height} m: {scenario.name}")
            rows.append(tof(scenario, height, seed, trials))
    for sensor, count in (("beams", beams), ("ld2450", radar)):
        for scenario in chosen:
            heard(f"{sensor}: {scenario.name}")
            score = Score()
            for rng in generators(scenario, sensor, seed, trials):
                scene = scenario.make(rng)
                score.add(scene.passages, count(scene, rng))
            rows.append(Row(sensor, None, scenario.name, {OURS: score}))
    return rows


def judged(row: Row, single: Row, name: str) -> float:
    """What a counter got wrong in a scenario, to be compared: missed and false per 100 passages.

    Where nobody passes, whoever sees nobody makes no mistake. So such a scenario is judged together
    with the `single` walkers below the same sensor: their wrong events are added.
    """
    score = row.scores[name]
    wrong = score.wrong_per_100()
    return wrong if score.true else wrong + single.scores[name].wrong_per_100()


def generators(scenario: Scenario, sensor: str, seed: int, trials: int) -> Iterable[random.Random]:
    """The randomness of each trial: the same whatever else is run."""
    for trial in range(max(1, round(trials * scenario.share))):
        yield random.Random(f"{seed}/{sensor}/{scenario.name}/{trial}")


def tof(scenario: Scenario, height: float, seed: int, trials: int) -> Row:
    """One scenario below a VL53L1X, ours and both yardsticks on the same rays."""
    scores = {OURS: Score(), ST: Score(), ROODE: Score()}
    device = profile("vl53l1x")
    driver: Any = device.driver
    floor_mm = round(height * 1000)
    columns = (driver.roi_width, StPath.COLUMNS, RoodePath.COLUMNS)
    for rng in generators(scenario, f"vl53l1x-{height}", seed, trials):
        scene = scenario.make(rng)
        mount = mounting(rng, height, driver.timing_ms)
        ours = Counter(device, floor_mm=floor_mm)
        said: dict[str, list[Passage]] = {ST: [], ROODE: []}
        yardsticks = StPath(floor_mm), RoodePath(floor_mm)
        for mine, *theirs in traces.tof(scene, mount, columns, rng):
            ours.step(mine.ms, (mine.zone, mine.mm, mine.status))
            for name, path, reading in zip(said, yardsticks, theirs, strict=True):
                _hear(said[name], path.take(reading), reading)
        for name, events in ((OURS, ours.said), *said.items()):
            scores[name].add(scene.passages, events)
    return Row("vl53l1x", height, scenario.name, scores)


def _hear(said: list[Passage], direction: Direction | None, reading: Reading) -> None:
    if direction:
        said.append(Passage(reading.ms, direction))


def beams(scene: Scene, rng: random.Random) -> Sequence[Passage]:
    """What the beams' counter says of a scene."""
    counter = Counter(profile("beams"))
    for broken in traces.beams(scene, rng):
        counter.step(broken.ms, (broken.a, broken.b))
    return counter.said


def radar(scene: Scene, rng: random.Random) -> Sequence[Passage]:
    """What the radar's counter says of a scene."""
    counter = Counter(profile("ld2450"), gate_mm=traces.GATE_MM)
    for frame in traces.radar(scene, rng):
        counter.step(frame.ms, frame.targets)
    return counter.said
