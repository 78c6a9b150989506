"""Figures against a second computation, from what the hall system got, on 30 simulated days."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hall_gateway import store
from hall_gateway.figures import report
from hall_gateway.figures_model import to_json
from hall_gateway.hall_class import CLASSES
from hall_gateway.hall_clock import HallClock
from hall_gateway.kpi_services import Rules
from hall_gateway.limits import Limits
from hall_gateway.schema import open_store
from support import own_figures
from support.hall_days import DAY, HOUR, HallDays

SUNDAY = 1_800_000_000_000 // DAY * DAY - 8 * HOUR
"""A midnight of the hall's clock."""
DAYS = 30
LIMITS = {"缴费": 5, "报装": 12}
RULES = Rules("demo", HallClock(), frozenset({"vip"}), CLASSES["D"], Limits(LIMITS))


def _hasty(path: Path, max_mb: int) -> sqlite3.Connection:
    connection = open_store(path, max_mb)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


async def test_thirty_days_are_what_the_hall_system_can_compute_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "open_store", _hasty)
    days = HallDays(tmp_path, seed=6, first_midnight=SUNDAY, customers=50)
    await days.run(DAYS, and_a_morning=True)
    story = own_figures.Story(days.told)
    now = days.clock.now
    first = SUNDAY + 3 * HOUR
    periods = [(first + day * DAY, first + (day + 1) * DAY) for day in range(DAYS)]
    periods.append((first, first + DAYS * DAY))
    # A day that is not over.
    periods.append((now // DAY * DAY - 5 * HOUR, now // DAY * DAY + 19 * HOUR))
    # A moment in the middle of a day, and no whole hour.
    periods.append((first, first + 4 * DAY + 7 * HOUR + 1234))
    whole: dict[str, Any] = {}
    with closing(sqlite3.connect(f"file:{tmp_path}/hall.db?mode=ro", uri=True)) as connection:
        for start, end in periods:
            ours = to_json(report(connection, RULES, start, end, now))
            theirs = own_figures.report(story, start, end, now, LIMITS, min_n=10)
            assert {name: _plain(ours[name]) for name in theirs} == theirs
            assert ours.keys() - theirs.keys() == {"hall_class", "targets"}
            whole = ours if end - start == DAYS * DAY else whole
    _everything_happened(whole, len(story.tickets))


def _plain(value: Any) -> Any:
    """Tuples as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _everything_happened(month: dict[str, Any], taken: int) -> None:
    """Or the test would compare nothing with nothing."""
    service = month["service"]
    assert service["satisfaction"]["n"] > 150
    assert min(service["satisfaction"]["marks"].values()) > 3
    assert {"timeout", "next_call", "no_keypad", "mashing", "service_too_short"} <= set(
        service["participation"]["none"]
    )
    for name in ("no_show_wait", "wait", "handling"):
        assert service[name]["n"] > 10
    assert service["overnight"] > 0
    assert service["overtime"]["part"] > 10
    tickets = month["tickets"]
    assert tickets["taken"] == taken - 1 > 2000  # the last one came with the day after
    assert min(tickets["cancelled"], tickets["abandoned"]) >= 5
    assert month["days_open"] == DAYS
    assert 0.1 < month["busy"]["share"] < 0.95
    assert len(month["ranking"]) >= 2
    assert {each["service"].get("needed") for each in month["staff"]} == {None}
    assert len(month["hours"]) >= 10
    assert month["footfall"]["areas"]["zone/vip"] > 20
    assert len(month["pressed"]["quarantined"]) >= 4
