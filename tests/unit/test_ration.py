"""How often something may be told: a burst at once, a steady rate in the long run."""

from hall_firmware.hall.ration import Ration
from hypothesis import given
from hypothesis import strategies as st


def test_a_burst_at_once_and_then_one_at_a_time():
    ration = Ration(3, 1000)
    assert [ration.take(5000) for _ in range(5)] == [True, True, True, False, False]
    assert [ration.take(now) for now in (5999, 6000, 6000)] == [False, True, False]
    assert [ration.take(1_000_000) for _ in range(4)] == [True, True, True, False]


@given(st.integers(1, 6), st.lists(st.integers(0, 3000), max_size=80))
def test_any_stretch_of_time_has_a_burst_and_one_for_each_interval(burst, waits):
    ration, now, taken = Ration(burst, 1000), 0, []
    for wait in waits:
        now += wait
        if ration.take(now):
            taken.append(now)
        else:
            assert taken[-1] > now - 1000, "nothing for so long, and yet refused"
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - taken[first]) // 1000
