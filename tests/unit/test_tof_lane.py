"""The VL53L1X's lane and the radar's: floor, dark heads, lingerers, faults. Simulated time only."""

from collections.abc import Iterator
from typing import Any

import pytest
from hall_firmware.hall.roles.floor_level import FloorLevel
from hall_firmware.hall.roles.path import IN, OUT, Path
from hall_firmware.hall.roles.people_counter import PeopleCounter
from hall_firmware.hall.roles.radar_lane import RadarLane
from hall_firmware.hall.roles.tof_lane import TofLane
from hypothesis import given
from hypothesis import strategies as st
from support.roles import Context

SETTINGS = {
    "floor_mm": 2400,
    "head_percent": 92,
    "path_timeout_s": 3,
    "stuck_s": 30,
    "gate_mm": 2000,
    "lane_mm": 1200,
}
VALID, SIGNAL_FAIL, OUT_OF_BOUNDS = 0, 2, 4
FLOOR = (2400, VALID)
STEP_MS = 38


class Sensor:
    """Hands out what the test says, a ranging at a time, of one zone after the other."""

    def __init__(self) -> None:
        self.reading: Any = None
        self.wrong: str | None = None
        self.bad = 0

    def poll(self) -> Any:
        reading, self.reading = self.reading, None
        return reading

    def fault(self) -> str | None:
        return self.wrong


class Lane:
    """A counter below a sensor; `show` gives both zones a ranging each."""

    def __init__(self) -> None:
        self.context, self.sensor = Context(), Sensor()
        self.lane = TofLane(SETTINGS, self.sensor)
        self.role = PeopleCounter(SETTINGS, self.lane, self.context)

    def show(self, a: tuple[int, int], b: tuple[int, int], times: int = 1) -> None:
        for _ in range(times):
            for zone, (mm, status) in enumerate((a, b)):
                self.context.now += STEP_MS
                self.sensor.reading = (zone, mm, status)
                self.role.step(self.context.now)

    def empty(self, seconds: float) -> None:
        self.show(FLOOR, FLOOR, int(seconds * 1000 / STEP_MS / 2))

    def walk(self, head: tuple[int, int] = (800, VALID)) -> None:
        """In: a, both, b."""
        self.show(head, FLOOR, 3)
        self.show(head, head, 3)
        self.show(FLOOR, head, 3)

    def floors(self) -> list[int]:
        return self.role.state()["floor_mm"]

    def passages(self) -> list[str]:
        return [data["dir"] for data in self.context.of("passage")]


def test_somebody_walks_in():
    lane = Lane()
    lane.empty(3)
    lane.walk()
    lane.empty(1)
    assert lane.passages() == ["in"]
    assert lane.role.state() == {
        "in": 1,
        "out": 0,
        "stuck": 0,
        "fault": None,
        "floor_mm": [2400, 2400],
    }


@pytest.mark.parametrize("first", [0, 1])
def test_who_left_while_the_device_was_busy_was_not_seen_to_pass(first: int) -> None:
    """The ranging that waits is of before; then the one zone is free sooner than the other."""
    lane = Lane()
    lane.empty(3)
    head = (800, VALID)
    walked = (head, FLOOR) if first else (FLOOR, head)
    lane.show(*walked, 3)
    lane.show(head, head, 3)
    lane.context.now += 900
    for zone, reading in ((first, head), (1 - first, FLOOR), (first, FLOOR)):
        lane.context.now += STEP_MS
        lane.sensor.reading = (zone, *reading)
        lane.role.step(lane.context.now)
    lane.empty(2)
    assert lane.passages() == []
    lane.walk()
    lane.empty(1)
    assert lane.passages() == ["in"]


def test_two_with_a_gap_that_never_shows_the_floor():
    lane = Lane()
    lane.empty(3)
    for _ in range(2):
        lane.walk()
        lane.show((1950, VALID), (1950, VALID))
    lane.empty(1)
    assert lane.passages() == ["in", "in"]


def test_who_turns_round_behind_a_dip_is_nobody():
    """Both zones seem free for a moment while they are in the middle."""
    lane = Lane()
    lane.empty(3)
    lane.walk()
    lane.show((1950, VALID), (1950, VALID))
    lane.show((900, VALID), FLOOR, 4)
    lane.empty(1)
    assert lane.passages() == []


def test_a_black_head_over_a_floor_that_is_always_seen():
    lane = Lane()
    lane.empty(30)
    lane.walk((0, OUT_OF_BOUNDS))
    lane.empty(1)
    assert lane.passages() == ["in"]


def test_a_floor_that_is_never_seen_is_nobody():
    lane = Lane()
    for _ in range(300):
        lane.show((0, OUT_OF_BOUNDS), (0, OUT_OF_BOUNDS))
        lane.show((2300, SIGNAL_FAIL), (0, OUT_OF_BOUNDS))
    assert lane.context.events == []
    assert not lane.lane.busy()


@pytest.mark.parametrize("times", [1, 10, 38, 39, 40, 41, 42, 200])
def test_the_floor_goes_in_the_sun_and_nobody_is_counted(times: int):
    lane = Lane()
    lane.empty(30)
    lane.show((0, OUT_OF_BOUNDS), (0, OUT_OF_BOUNDS), times)
    lane.empty(5)
    assert lane.passages() == []
    lane.walk()
    lane.empty(1)
    assert lane.passages() == ["in"]


def test_a_mat_is_followed_and_taken_away_faster():
    lane = Lane()
    lane.empty(10)
    lane.show((2370, VALID), (2370, VALID), 600)
    assert all(abs(mm - 2370) <= 10 for mm in lane.floors())
    lane.show(FLOOR, FLOOR, 150)
    assert all(abs(mm - 2400) <= 10 for mm in lane.floors())


@pytest.mark.parametrize("mm", [900, 1500, 2150])
def test_who_stands_below_is_not_learnt(mm: int):
    """For ten minutes, from power-on; then the next is counted."""
    lane = Lane()
    lane.show((mm, VALID), (mm, VALID), 8000)
    assert lane.floors() == [2400, 2400]
    assert lane.context.of("fault") == [
        {"code": "beam_stuck", "value": 1},
        {"code": "beam_stuck", "value": 3},
    ]
    lane.empty(4)
    assert lane.passages() == []
    lane.walk()
    lane.empty(1)
    assert lane.passages() == ["in"]


def test_a_sensor_that_falls_silent_is_one_fault_and_nobody():
    lane = Lane()
    lane.empty(3)
    lane.show((800, VALID), (800, VALID), 3)
    lane.sensor.wrong = "tof_silent"
    for _ in range(500):
        lane.context.now += 5
        lane.role.step(lane.context.now)
    assert lane.context.of("fault") == [{"code": "tof_silent", "value": 0}]
    assert lane.role.state()["fault"] == "tof_silent"
    assert lane.role.selftest() == {"sensor": False, "zone_a": True, "zone_b": True}
    lane.sensor.wrong = None
    lane.empty(3)
    lane.walk()
    lane.empty(1)
    assert lane.passages() == ["in"]
    assert lane.role.state()["fault"] is None


def test_what_a_technician_sees():
    lane = Lane()
    lane.empty(3)
    lane.show((800, VALID), (2390, SIGNAL_FAIL))
    assert lane.role.sense() == {
        "raw": {"a_mm": 800, "a_status": 0, "b_mm": 2390, "b_status": 2},
        "filtered": {
            "a": 1,
            "b": 0,
            "a_above_mm": 1600,
            "b_above_mm": 5,
            "a_floor_mm": 2400,
            "b_floor_mm": 2400,
            "in": 0,
            "out": 0,
        },
    }


def walked(path: Path, *steps: tuple[int, int, int]) -> int:
    """What is said of (ms, zones taken, mm of height) one after the other, from an empty lane."""
    now, said = 5000, path.step(0, 0)
    for ms, where, height in (*steps, (300, 0, 0)):
        said += path.step(where, now, height)
        now += ms
        # The sensor goes on: the height is told again, and time passes.
        said += path.step(where, now, height)
    return said


@pytest.mark.parametrize(
    ("first", "second", "ms", "said"),
    [
        (700, 1400, 500, IN),  # a cart and who pushes it
        (1300, 1400, 500, 2 * IN),  # two slow people
        (700, 1400, 200, 2 * IN),  # a child ahead is shorter, along the way too
        (1400, 700, 500, 2 * IN),
    ],
)
def test_low_long_and_somebody_higher_behind_is_a_cart(first: int, second: int, ms: int, said: int):
    path = Path(3000, 2000, 250, 800)
    one = [(ms, 1, first), (100, 3, first), (ms, 2, first)]
    other = [(100, 1, second), (100, 3, second), (200, 2, second)]
    assert walked(path, *one, (100, 0, 0), *other) == said


@pytest.mark.parametrize(("height", "said"), [(500, 0), (1000, IN)])
def test_what_is_low_for_long_in_zones_that_come_and_go_is_a_parked_cart(height: int, said: int):
    steady = [(900, 1, height), (900, 3, height), (900, 2, height)]
    assert walked(Path(3000, 2000, 250, 800), *steady) == IN, "somebody slow in black"
    flicker = [(400, 1, height), (400, 3, height)] * 3 + [(400, 2, height)]
    assert walked(Path(3000, 2000, 250, 800), *flicker) == said


@pytest.mark.parametrize(("height", "said"), [(500, 0), (1000, IN)])
def test_a_parked_cart_stays_one_after_a_moment_without_it(height: int, said: int):
    """The last way is short and could be anybody's, but for what was there before it."""
    way = [(200, 1, height), (200, 3, height), (200, 2, height)]
    turns = [(400, 1, height), (600, 3, height), (400, 1, height), (300, 0, height)] * 2
    assert walked(Path(60_000, 350, 250, 800), *turns, *way) == said
    # Behind somebody who had passed, too; and whoever leaves it there is no part of it.
    passes = [(200, 1, 1400), (200, 3, 1400), (200, 2, 1400), (300, 0, 0)]
    assert walked(Path(60_000, 350, 250, 800), *passes, *turns, *way) == IN + said
    brings = [(400, 1, 1400), (600, 3, 1400), (400, 1, 1400), (300, 0, 0)]
    flicker = [(400, 1, height), (400, 3, height)] * 3 + [(400, 2, height)]
    assert walked(Path(60_000, 350, 250, 800), *brings, *flicker) == said


def test_a_crowd_of_small_people_is_no_parked_cart():
    small = [(200, 1, 500), (200, 3, 500), (200, 2, 500), (300, 0, 0)]
    slow = [(900, 1, 500), (900, 3, 500), (900, 2, 500)]
    assert walked(Path(3000, 350, 250, 800), *small * 3, (2000, 0, 0), *slow) == 4 * IN


@pytest.mark.parametrize(
    ("height", "free_ms", "way", "said"),
    [
        (1400, 300, (2, 3, 1), OUT),  # from the other side: somebody else
        (1400, 300, (1, 3, 2), 0),  # from where the lingerer went: the lingerer
        (1400, 400, (1, 3, 2), IN),
        (300, 300, (2, 3, 1), 0),  # so low as if a cart stood there
        (300, 800, (2, 3, 1), OUT),
    ],
)
def test_who_comes_right_behind_a_lingerer(
    height: int, free_ms: int, way: tuple[int, int, int], said: int
):
    """The lingerer came from zone a, and left there, seen as `height` at last."""
    lingers = [(1000, 1, height), (1000, 3, height), (4000, 1, height), (free_ms, 0, 0)]
    following = [(200, where, 1400) for where in way]
    assert walked(Path(3000, 350, 250, 800), *lingers, *following) == said


def test_who_comes_when_a_lingerer_was_last_seen_by_a_shoulder():
    """That low, but not before: it is no cart."""
    lingers = [(1000, 1, 1400), (1000, 3, 1400), (4000, 1, 1400), (100, 0, 0), (200, 1, 300)]
    following = [(300, 0, 0), (200, 2, 1400), (200, 3, 1400), (200, 1, 1400)]
    assert walked(Path(3000, 350, 250, 800), *lingers, *following) == OUT


def test_a_lingerer_who_is_still_seen_between_the_zones_has_not_gone():
    """No zone is taken for half a second, as they are seen less well than before."""
    lane = Lane()
    lane.empty(3)
    lane.show((800, VALID), FLOOR, 20)
    lane.show((800, VALID), (900, VALID), 40)
    lane.show((800, VALID), FLOOR, 50)
    lane.show((1750, VALID), FLOOR, 7)
    lane.walk()
    lane.empty(1)
    assert lane.passages() == []


@pytest.mark.parametrize(
    ("ms", "said"),
    [(90, IN), (200, IN + OUT), (300, 0)],
    ids=["ran", "two who pass each other", "turned round"],
)
def test_who_leaves_where_they_came_from_too_soon_had_not_turned(ms: int, said: int):
    assert walked(Path(3000, 2000, 250, 800), (ms, 1, 0), (ms, 3, 0), (ms, 1, 0)) == said
    assert walked(Path(3000, 0, 0), (ms, 1, 0), (ms, 3, 0), (ms, 1, 0)) == 0


def test_who_turns_before_the_other_zone_saw_them_again_is_nobody():
    """They leave the inner zone while the outer one sees two thirds of them, and never more."""
    lane = Lane()
    lane.empty(3)
    lane.show((900, VALID), FLOOR, 3)
    lane.show((900, VALID), (900, VALID), 6)
    lane.show((1900, VALID), (900, VALID), 3)
    lane.show((1450, VALID), FLOOR, 6)
    lane.empty(1)
    assert lane.passages() == []


READINGS = st.tuples(
    st.integers(0, 1),
    st.integers(0, 4000),
    st.sampled_from((0, 0, 0, 1, 2, 4, 5, 7, 13, 255)),
)


@given(st.lists(READINGS, max_size=300))
def test_no_readings_raise_or_count_without_a_way(readings: list[tuple[int, int, int]]):
    """Every passage needs both zones taken and left: six rangings at least."""
    lane = Lane()
    for reading in readings:
        lane.context.now += STEP_MS
        lane.sensor.reading = reading
        lane.role.step(lane.context.now)
    assert 4 * len(lane.passages()) <= len(readings)
    state = lane.role.state()
    assert state["in"] + state["out"] == len(lane.passages())
    assert all(2208 <= mm <= 2760 for mm in lane.floors())


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5000)), max_size=60))
@pytest.mark.parametrize("unsure_ms", [0, 250])
def test_passages_are_bounded_by_ways(unsure_ms: int, steps: list[tuple[int, int]]):
    """Never more passages than times that the doorway became free after both zones were taken."""
    path, now, both, ways, passed = Path(3000, 1000, unsure_ms), 0, False, 0, 0
    for where, wait in steps:
        now += wait
        both = both or where != 0
        if where == 0 and both:
            ways += 1
            both = False
        passed += path.step(where, now) in (IN, OUT)
    assert passed <= ways


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=500))
def test_the_floor_stays_where_it_may_be(distances: list[int]):
    level = FloorLevel(2400, 92)
    for mm in distances:
        assert level.height(mm, VALID) >= 0
        level.settle(True)
        assert 2208 <= level.floor_mm <= 2760


# The radar


def frames(*ways: Iterator[tuple[int, int] | None]) -> Iterator[tuple[tuple[int, int, int], ...]]:
    """Frames of several people: x and y of each, None when out of sight."""
    for places in zip(*ways, strict=True):
        yield tuple((place[0], place[1], 0) for place in places if place)


def straight(x: int, speed: int, start: int, until: int = 60) -> Iterator[tuple[int, int]]:
    """y of somebody who moves `speed` mm a frame."""
    return ((x, start + speed * step) for step in range(until))


def radar(shown: Iterator[tuple[tuple[int, int, int], ...]]) -> list[str]:
    context, sensor = Context(), Sensor()
    role = PeopleCounter(SETTINGS, RadarLane(SETTINGS, sensor), context)
    for frame in [*shown, *[()] * 20]:
        context.now += 100
        sensor.reading = frame
        role.step(context.now)
    assert role.selftest() == {"sensor": True}
    assert set(role.sense()["raw"]) == {"targets", "bad"}
    return sorted(data["dir"] for data in context.of("passage"))


def test_the_radar_sees_who_comes_and_goes_at_once():
    assert radar(frames(straight(-300, -120, 4500), straight(300, 120, 500))) == ["in", "out"]


def test_the_radar_is_asked_more_often_than_it_answers():
    context, sensor = Context(), Sensor()
    role = PeopleCounter(SETTINGS, RadarLane(SETTINGS, sensor), context)
    for frame in [*frames(straight(0, -120, 4500, until=40)), *[()] * 20]:
        sensor.reading = frame
        context.run(role, context.now + 100)
        assert role.sense()["raw"]["targets"] == frame, "the last that it said"
    assert context.of("passage") == [{"dir": "in"}]


def test_a_radar_that_falls_silent_sees_nobody():
    context, sensor = Context(), Sensor()
    role = PeopleCounter(SETTINGS, RadarLane(SETTINGS, sensor), context)
    for frame in frames(straight(0, -120, 4500, until=17)):
        context.now += 100
        sensor.reading = frame
        role.step(context.now)
    assert not role.quiet()
    sensor.reading = None
    context.run(role, context.now + 900)
    assert role.quiet()
    assert role.sense()["filtered"]["tracks"] == []


def test_the_radar_follows_whoever_changes_places_in_a_frame():
    both = list(frames(straight(-300, -120, 4500), straight(300, -120, 4500)))
    assert radar(iter([frame[::-1] if i % 2 else frame for i, frame in enumerate(both)])) == [
        "in",
        "in",
    ]


def test_the_radar_counts_nobody_who_turns_back_or_passes_by():
    back = [(0, y) for y in [*range(3500, 1900, -100), *range(1900, 3500, 100)]]
    assert radar(frames(iter(back))) == []
    assert radar(frames(straight(900, -120, 4500))) == []


@given(
    st.lists(
        st.none()
        | st.lists(
            st.tuples(*[st.integers(-32767, 32767)] * 3) | st.just((0, 2000, 0)), max_size=3
        ).map(tuple),
        max_size=100,
    )
)
def test_no_frames_raise(shown: list[Any]):
    assert len(radar(iter(shown))) <= len(shown)
