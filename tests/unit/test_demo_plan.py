"""The demo's plan: the seed decides everything, and a minute shows everything."""

from itertools import islice

import pytest
from hall_tools.demo.layout import RATING_WINDOW_S
from hall_tools.demo.plan import Mopping, Visit, moppings, visits


def _day(seed: int) -> tuple[list[Visit], list[Mopping]]:
    return list(islice(visits(seed), 200)), list(islice(moppings(seed), 20))


def test_the_same_seed_gives_the_same_plan() -> None:
    assert _day(7) == _day(7)


def test_another_seed_gives_another_plan() -> None:
    assert _day(7)[0] != _day(8)[0]
    assert _day(7)[1] != _day(8)[1]


@pytest.mark.parametrize("seed", [1, 7, 8, 2**40])
def test_every_ten_customers_show_every_conduct(seed: int) -> None:
    customers, _ = _day(seed)
    for hand in range(0, 200, 10):
        conducts = [visit.conduct for visit in customers[hand : hand + 10]]
        assert {"rates", "corrects", "presses_late", "silent", "slow"} <= set(conducts)
        assert sum(bool(visit.rating) for visit in customers[hand : hand + 10]) >= 8
        assert sum(bool(visit.child) for visit in customers[hand : hand + 10]) == 1
    assert {"leaves", "transferred"} <= {visit.conduct for visit in customers[:20]}


@pytest.mark.parametrize("seed", [1, 7, 8])
def test_no_press_is_planned_near_the_edge_of_a_rule(seed: int) -> None:
    """What a press is worth must be certain: the world judges it without asking the keypad."""
    for visit in _day(seed)[0]:
        times = [press.after_s for press in visit.rating]
        holds = [press.hold_ms / 1000 for press in visit.rating]
        if visit.conduct == "corrects":
            assert 0.2 < holds[0] + times[1] < 2.5
        elif visit.conduct == "presses_late":
            assert holds[0] + times[1] > 3.1
        assert all(time < RATING_WINDOW_S - 2 for time in times[:1])
        assert sum(press.after_s for press in visit.child) < visit.serve_s - 0.2
        assert all(press.bounce_ms < press.hold_ms for press in (*visit.rating, *visit.child))
