"""How passages add up to who is inside: the sum, its repair, its night, and when it is told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from hall_gateway.models import PassageData
from hall_gateway.occupancy import HALL, TELL_EVERY_MS, Occupancies, OccupancyRules
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.state import HallState, Outcome
from hall_profiles import load
from hypothesis import given
from hypothesis import strategies as st
from support.core_hall import NOON, PLAN, Device, Hall, open_hall

HOUR = 3_600_000
DOOR = "zone/entrance"
Way = Literal["in", "out"]


def sums(rules: OccupancyRules | None = None) -> Occupancies:
    return Occupancies(rules or OccupancyRules(), HallState())


def inside(counts: Occupancies, place: str = HALL) -> int:
    state: HallState = counts._state  # pyright: ignore[reportPrivateUsage]
    return state.occupancies[place].inside


def told(outcome: Outcome, type: str) -> list[tuple[str, dict[str, Any]]]:
    return [(emit.subject, emit.data) for emit in outcome.emits if emit.type == type]


def passed(counts: Occupancies, way: Way, at: int, now: int, subject: str = DOOR) -> Outcome:
    return counts.passage(subject, PassageData(dir=way), at, now)


def test_what_goes_in_less_what_goes_out_is_inside() -> None:
    counts = sums()
    for step, way in enumerate(("in", "in", "out", "in")):
        passed(counts, way, NOON + step, NOON + step)
    assert inside(counts) == 2
    told_now = told(counts.tick(NOON + 1000), "hall.count.occupancy")
    assert told_now == [(HALL, {"inside": 2, "in": 3, "out": 1})]


def test_it_is_told_when_it_changes_and_never_more_often_than_each_ten_seconds() -> None:
    counts = sums()
    passed(counts, "in", NOON, NOON)
    moments: list[tuple[int, int]] = []
    for second in range(60):
        now = NOON + second * 1000
        if second < 25:
            passed(counts, "in", now, now)
        for _, data in told(counts.tick(now), "hall.count.occupancy"):
            moments.append((second, data["inside"]))
    assert moments == [(0, 2), (10, 12), (20, 22), (30, 26)]


def test_a_busy_minute_that_cancels_out_is_told_once() -> None:
    counts = sums()
    passed(counts, "in", NOON, NOON)
    counts.tick(NOON)
    passed(counts, "in", NOON + 1, NOON + 1)
    passed(counts, "out", NOON + 2, NOON + 2)
    assert counts.tick(NOON + TELL_EVERY_MS).emits == []


def test_more_cannot_go_out_than_are_inside_and_the_repair_is_told() -> None:
    counts = sums()
    passed(counts, "in", NOON, NOON)
    for step in (1, 2, 3):
        passed(counts, "out", NOON + step, NOON + step)
    assert inside(counts) == 0
    outcome = counts.tick(NOON + 1000)
    assert told(outcome, "hall.count.repaired") == [
        (HALL, {"added": 2, "reason": "more_out_than_in"})
    ]
    assert told(outcome, "hall.count.occupancy") == [(HALL, {"inside": 0, "in": 1, "out": 3})]
    assert counts.tick(NOON + 2 * TELL_EVERY_MS).emits == []


def test_what_is_heard_of_late_takes_its_repair_back() -> None:
    """The counter at the entrance was cut off; the one at the exit was not."""
    counts = sums()
    for step in range(5):
        passed(counts, "out", NOON + 1000 + step, NOON + 1000 + step)
    for step in range(5):
        passed(counts, "in", NOON + step, NOON + 60_000)
    assert inside(counts) == 0
    passed(counts, "in", NOON + 60_001, NOON + 60_001)
    assert inside(counts) == 1


def test_a_repair_that_is_taken_back_before_it_was_told_is_not_told() -> None:
    counts = sums()
    for step in (2, 3, 4):
        passed(counts, "out", NOON + step, NOON + step)
    counts.tick(NOON + 5)
    passed(counts, "out", NOON + 6, NOON + 6)
    for _ in range(2):
        passed(counts, "in", NOON + 1, NOON + 7)
    assert told(counts.tick(NOON + 2 * TELL_EVERY_MS), "hall.count.repaired") == []
    assert inside(counts) == 0
    passed(counts, "out", NOON + 8, NOON + 8)
    outcome = counts.tick(NOON + 4 * TELL_EVERY_MS)
    assert [data["added"] for _, data in told(outcome, "hall.count.repaired")] == [1]


def test_a_counter_whose_clock_is_ahead_makes_nobody_late() -> None:
    counts = sums()
    passed(counts, "out", NOON + 365 * 24 * HOUR, NOON)
    passed(counts, "in", NOON + 1, NOON + 1)
    assert inside(counts) == 1


def test_a_passage_heard_of_late_can_make_a_later_one_the_one_too_many() -> None:
    """In, out, in, out and so on, and the third step after the fifth."""
    counts = sums()
    for number, step in enumerate((1, 2, 5, 3, 4, 0, 6, 7)):
        passed(counts, "out" if step % 2 else "in", NOON + step, NOON + 1000 + number)
    assert inside(counts) == 0


WALKS = st.lists(st.booleans(), max_size=40)


@given(WALKS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing_in_the_end(walks: list[bool], order: Any) -> None:
    """Of passages that can have happened, whatever is heard first."""
    truth = 0
    passages: list[tuple[int, Way]] = []
    for step, wants_in in enumerate(walks):
        way: Way = "in" if wants_in or truth == 0 else "out"
        truth += 1 if way == "in" else -1
        passages.append((NOON + step, way))
    order.shuffle(passages)
    counts = sums()
    for number, (at, way) in enumerate(passages):
        passed(counts, way, at, NOON + 1000 + number)
        assert inside(counts) >= 0
    if passages:
        assert inside(counts) == truth


@given(st.lists(st.tuples(st.sampled_from(["in", "out"]), st.integers(1, 10_000)), max_size=60))
def test_it_is_never_negative_and_each_repair_is_told(passages: list[tuple[Way, int]]) -> None:
    counts = sums()
    added = 0
    now = NOON
    for way, wait in passages:
        now += wait
        passed(counts, way, now, now)
        assert inside(counts) >= 0
        for _, data in told(counts.tick(now), "hall.count.repaired"):
            added += data["added"]
    for _, data in told(counts.tick(now + TELL_EVERY_MS), "hall.count.repaired"):
        added += data["added"]
    ins = sum(way == "in" for way, _ in passages)
    if passages:
        assert inside(counts) == ins - (len(passages) - ins) + added


# The night.


def local(hour: int, minute: int = 0, *, day: int = 15) -> int:
    """Unix ms of a moment in Beijing, in January 2027."""
    moment = datetime(2027, 1, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)
    return int(moment.timestamp() * 1000)


def test_the_night_takes_away_the_drift_and_says_how_much() -> None:
    counts = sums()
    for _ in range(7):
        passed(counts, "in", local(10), local(10))
    for _ in range(4):
        passed(counts, "out", local(18), local(18))
    counts.tick(local(18))
    assert counts.tick(local(2, 59, day=16)).emits == []
    outcome = counts.tick(local(3, day=16))
    assert told(outcome, "hall.count.reset") == [
        (HALL, {"removed": 3, "in": 7, "out": 4, "repaired": 0, "late": 0})
    ]
    assert told(outcome, "hall.count.occupancy") == [(HALL, {"inside": 0, "in": 0, "out": 0})]
    assert counts.tick(local(3, 1, day=16)).emits == []


def test_a_night_while_the_gateway_was_off_is_made_up_for() -> None:
    counts = sums()
    passed(counts, "in", local(23), local(23))
    outcome = passed(counts, "in", local(8, day=16), local(8, day=16))
    assert [data["removed"] for _, data in told(outcome, "hall.count.reset")] == [1]
    assert inside(counts) == 1


def test_a_passage_of_yesterday_is_none_of_today() -> None:
    counts = sums()
    passed(counts, "in", local(8), local(8))
    counts.tick(local(3, day=16))
    passed(counts, "out", local(17), local(9, day=16))
    assert inside(counts) == 0
    passed(counts, "in", local(9, day=16), local(9, day=16))
    outcome = counts.tick(local(3, day=17))
    assert told(outcome, "hall.count.reset")[0][1] == {
        "removed": 1,
        "in": 1,
        "out": 0,
        "repaired": 0,
        "late": 1,
    }


@pytest.mark.parametrize(("hour", "offset"), [(0, 480), (3, 480), (23, 480), (4, -720), (4, 840)])
def test_the_hour_is_the_halls(hour: int, offset: int) -> None:
    rules = OccupancyRules(hour, offset)
    for now in range(NOON, NOON + 48 * HOUR, 17 * 60_000):
        began = rules.clock.began(now)
        assert now - 24 * HOUR < began <= now
        there = datetime.fromtimestamp(began / 1000, UTC) + timedelta(minutes=offset)
        assert (there.hour, there.minute, there.second) == (hour, 0, 0)


def test_a_clock_that_was_a_year_ahead_leaves_no_trace() -> None:
    counts = sums()
    ahead = NOON + 365 * 24 * HOUR
    for _ in range(2):
        passed(counts, "in", ahead, ahead)
    assert inside(counts) == 2
    passed(counts, "in", NOON, NOON)
    assert inside(counts) == 1


def test_a_clock_that_goes_back_an_hour_keeps_nothing_from_being_told() -> None:
    counts = sums()
    passed(counts, "in", NOON, NOON)
    counts.tick(NOON)
    passed(counts, "in", NOON - HOUR, NOON - HOUR)
    assert told(counts.tick(NOON - HOUR), "hall.count.occupancy")[0][1]["inside"] == 2


def test_a_passage_at_the_moment_of_the_reset_is_of_the_new_day() -> None:
    counts = sums()
    passed(counts, "in", local(3), local(4))
    passed(counts, "in", local(3) - 1, local(4))
    assert inside(counts) == 1


def test_a_day_of_late_passages_alone_is_told_and_an_empty_one_is_not() -> None:
    counts = sums()
    passed(counts, "in", local(1), local(4))
    counts.tick(local(4))
    outcome = counts.tick(local(3, day=16))
    assert [data["late"] for _, data in told(outcome, "hall.count.reset")] == [1]
    assert told(outcome, "hall.count.occupancy") == [], "0 as before"
    assert counts.tick(local(3, day=17)).emits == []


def test_a_second_in_which_nothing_happens_writes_nothing() -> None:
    counts = sums()
    passed(counts, "in", NOON, NOON)
    assert counts.tick(NOON).kept
    assert counts.tick(NOON + TELL_EVERY_MS).kept == []


def test_repairs_are_told_each_ten_seconds_at_most() -> None:
    counts = sums()
    moments: list[tuple[int, int]] = []
    for second in range(25):
        now = NOON + second * 1000
        passed(counts, "out", now, now)
        for _, data in told(counts.tick(now), "hall.count.repaired"):
            moments.append((second, data["added"]))
    assert moments == [(0, 1), (10, 10), (20, 10)]


# Areas.


def test_an_area_has_its_own_sum_and_changes_nothing_of_the_halls() -> None:
    counts = sums(OccupancyRules(areas=frozenset({"vip"})))
    passed(counts, "in", NOON, NOON)
    passed(counts, "in", NOON + 1, NOON + 1, "zone/vip")
    assert (inside(counts), inside(counts, "zone/vip")) == (1, 1)
    passed(counts, "out", NOON + 2, NOON + 2, "zone/vip")
    assert (inside(counts), inside(counts, "zone/vip")) == (1, 0)


# In the gateway: kept with the passage, and carried on after a restart.


VIP = PlannedDevice("vip", load("people-counter-beams"), "zone/vip")
TWO_DOORS = Plan(
    "demo",
    PLAN.windows,
    {**PLAN.devices, "vip": VIP},
    occupancy=OccupancyRules(areas=frozenset({"vip"})),
)


async def walk(hall: Hall, device: Device, ways: str) -> None:
    for way in ways:
        data = {"dir": "in" if way == "i" else "out"}
        assert await hall.core.event(device.id, device.event("passage", data)) is not None


async def test_it_outlives_a_restart_and_a_passage_that_comes_twice(tmp_path: Path) -> None:
    door, vip = Device("cnt"), Device("vip")
    async with open_hall(tmp_path, plan=TWO_DOORS) as hall:
        await walk(hall, door, "iiio")
        await walk(hall, vip, "i")
        again = door.event("passage", {"dir": "in"})
        for _ in range(3):
            await hall.core.event("cnt", again)
        await hall.core.tick()
        events = await hall.events("hall.count.occupancy")
        assert [(each["subject"], each["data"]["inside"]) for each in events] == [
            ("hall", 3),
            ("zone/vip", 1),
        ]
        assert all(each["source"] == "/hall/demo/gateway" for each in events)
    async with open_hall(tmp_path, plan=TWO_DOORS) as hall:
        hall.clock.pass_s(60)
        await hall.core.tick()
        assert len(await hall.events("hall.count.occupancy")) == 2, "nothing has changed"
        await walk(hall, door, "o")
        await hall.core.tick()
        assert (await hall.data("hall.count.occupancy"))[-1] == {"inside": 2, "in": 4, "out": 2}
        hall.clock.pass_s(24 * 3600)
        await hall.core.tick()
        assert [each["removed"] for each in await hall.data("hall.count.reset")] == [2, 1]
