"""The demo's plan: the seed decides everything, and a minute shows everything."""

from itertools import islice

import pytest
from hall_tools.demo.judge import CORRECTION_S, MASH_S
from hall_tools.demo.keypads import DEBOUNCED_MS, SECOND_KEY_MS
from hall_tools.demo.layout import RATING_WINDOW_S
from hall_tools.demo.plan import Mopping, Shower, Visit, moppings, showers, visits


def _day(seed: int) -> tuple[list[Visit], list[Mopping], list[Shower]]:
    mopped = moppings(seed, "floor", 4.0)
    return list(islice(visits(seed), 200)), list(islice(mopped, 20)), list(islice(showers(seed), 9))


def test_the_same_seed_gives_the_same_plan() -> None:
    assert _day(7) == _day(7)


def test_another_seed_gives_another_plan() -> None:
    assert _day(7)[0] != _day(8)[0]
    assert _day(7)[1] != _day(8)[1]
    assert _day(7)[2] != _day(8)[2]


def test_two_floors_are_mopped_at_different_times() -> None:
    first, second = (list(islice(moppings(7, where, 4.0), 5)) for where in ("floor", "floor-2"))
    assert first != second


@pytest.mark.parametrize("seed", [1, 7, 8, 2**40])
def test_every_ten_customers_show_every_conduct(seed: int) -> None:
    customers = _day(seed)[0]
    for at in range(0, 200, 10):
        hand = customers[at : at + 10]
        conducts = [visit.conduct for visit in hand]
        assert {"rates", "corrects", "presses_late", "silent", "slow"} <= set(conducts)
        assert sum(bool(visit.rating) for visit in hand) >= 8
        for fingers in ("child", "child_first", "together"):
            assert sum(bool(getattr(visit, fingers)) for visit in hand) == 1, fingers
        if at:  # who queues outside in the morning does not linger
            assert sum(bool(visit.lingers_ms) for visit in hand) == 1
    assert {"leaves", "transferred"} <= {visit.conduct for visit in customers[:20]}
    assert sum(bool(visit.clerk) for visit in customers[:20]) == 1


@pytest.mark.parametrize("seed", [1, 7, 8])
def test_what_is_planned_as_mashing_is_mashing_and_nothing_else(seed: int) -> None:
    for visit in _day(seed)[0]:
        for child in (visit.child, visit.child_first):
            assert len(child) == 0 or len(child) >= 3
            lengths = [each.after_s + each.hold_ms / 1000 + DEBOUNCED_MS / 1000 for each in child]
            assert all(sum(lengths[at + 1 : at + 3]) < MASH_S - 0.5 for at in range(len(child) - 2))
        for first in visit.together[:1]:
            assert first.hold_ms / 1000 > SECOND_KEY_MS / 1000 + 0.3
        if visit.conduct == "corrects":
            between = visit.rating[0].hold_ms / 1000 + DEBOUNCED_MS / 1000 + visit.rating[1].after_s
            assert between < CORRECTION_S - 0.5


@pytest.mark.parametrize("seed", [1, 7, 8])
def test_no_contact_bounces_longer_than_it_is_held(seed: int) -> None:
    for visit in _day(seed)[0]:
        assert all(press.after_s < RATING_WINDOW_S - 2 for press in visit.rating[:1])
        fingers = (*visit.rating, *visit.child, *visit.child_first, *visit.together, *visit.clerk)
        assert all(press.bounce_ms < press.hold_ms for press in fingers)
