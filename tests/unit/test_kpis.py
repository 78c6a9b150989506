"""Figures at their edges, where thirty days do not come by to the one."""

import pytest
from hall_gateway.facts import Facts, Service
from hall_gateway.figures_model import Report, Satisfaction, Suppressed
from hall_gateway.hall_clock import DAY_MS
from hall_gateway.kpi_services import Period, Rules
from hall_gateway.kpis import STAFF_N, compute


def hall(services: int, ratings: int) -> Report:
    """A clerk's services of one day, the first of them rated."""
    done = [
        Service(
            *("A001", "1", "王芳", "缴费", 0, False, at, at, at + 60_000, 60_000, "completed"),
            *(("given", True, 5, 1, None) if at < ratings else ("timeout", True, None, None, None)),
        )
        for at in range(services)
    ]
    return compute(Facts(services=tuple(done)), Rules("demo"), Period(0, DAY_MS, DAY_MS))


@pytest.mark.parametrize("n", [STAFF_N - 1, STAFF_N])
def test_a_clerk_is_shown_from_twenty_services_on(n: int) -> None:
    [clerk] = hall(n, n).staff
    assert clerk.services == n
    assert isinstance(clerk.service, Suppressed) == (n < 20)


@pytest.mark.parametrize("n", [STAFF_N - 1, STAFF_N])
def test_a_clerks_marks_are_shown_from_twenty_ratings_on(n: int) -> None:
    [clerk] = hall(30, n).staff
    assert not isinstance(clerk.service, Suppressed)
    marks = clerk.service.satisfaction
    assert marks == Suppressed(n, 20) if n < 20 else isinstance(marks, Satisfaction)


@pytest.mark.parametrize(("n", "rank"), [(29, None), (30, 1)])
def test_a_window_has_a_place_from_its_classs_ratings_on(n: int, rank: int | None) -> None:
    [window] = hall(40, n).windows
    assert window.rank == rank
