"""The plan of faults: the same for the same seed, and one thing fails in one way at a time."""

from collections import defaultdict

import pytest
from hall_tools.chaos.plan import MEANINGS, plan

DEVICES = [f"dev-{number}" for number in range(20)]


def test_a_seed_is_a_plan() -> None:
    assert plan(1, 120, DEVICES) == plan(1, 120, DEVICES)
    assert plan(1, 120, DEVICES) != plan(2, 120, DEVICES)
    assert plan(1, 120, DEVICES) != plan(1, 120, DEVICES[:8])


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_long_run_has_every_kind_and_a_short_one_most(seed: int) -> None:
    long = plan(seed, 20 * 60, DEVICES).counts()
    assert long.keys() == MEANINGS.keys()
    assert min(long.values()) >= 4
    assert long.total() > 400
    assert len(plan(seed, 75, DEVICES[:8]).counts()) >= 12


@pytest.mark.parametrize("seconds", [30, 75, 120, 1200])
@pytest.mark.parametrize("seed", range(20))
def test_nothing_fails_twice_at_a_time_and_all_is_over_at_the_end(seed: int, seconds: int) -> None:
    drawn = plan(seed, seconds, DEVICES)
    assert drawn.faults
    assert [fault.at for fault in drawn.faults] == sorted(fault.at for fault in drawn.faults)
    busy: dict[str, float] = defaultdict(float)
    for fault in drawn.faults:
        assert 0 < fault.at <= fault.at + fault.lasts <= seconds
        for need in fault.needs:
            assert fault.at >= busy[need], fault
            busy[need] = fault.at + fault.lasts
