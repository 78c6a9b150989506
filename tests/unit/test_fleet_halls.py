"""Simulated halls and their truth: the same each time, and a difference is seen whatever it is."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hall_tools.fleet.customers import Habits
from hall_tools.fleet.halls import SimulatedHall, promised
from hall_tools.fleet.places import MOST, hall_class, place
from hall_tools.fleet.truth import Account, compare, sums

Json = dict[str, Any]

SMALL = place(next(n for n in range(1, 50) if hall_class(n) == "D"))


async def test_a_hall_has_as_many_events_as_were_asked_for_and_keeps_what_it_acked(
    tmp_path: Path,
) -> None:
    hall = SimulatedHall(place(3), tmp_path, seed=1, run=7)
    async with hall:
        await hall.fill(150, days_ago=3)
        assert hall.waiting >= 150
        waiting = hall.waiting
    found = promised(hall.path)
    assert len(found) == waiting
    assert found.keys() >= set(hall.acked())
    events = [json.loads(body) for body in found.values()]
    assert {event["source"].split("/")[2] for event in events} == {"hall-0003"}
    kinds = {event["type"] for event in events}
    assert kinds >= {"hall.ticket.taken", "hall.service.ended", "hall.rating.given"}


async def test_the_same_seed_tells_the_same_day(tmp_path: Path) -> None:
    told: list[list[Json]] = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        async with SimulatedHall(place(3), tmp_path / name, seed=1, run=7) as hall:
            await hall.fill(100, days_ago=2)
        bodies = promised(hall.path)
        # The gateway's own events and its sessions carry the time of its start.
        events = [json.loads(b) for id, b in bodies.items() if not id.startswith("gateway/")]
        told.append([{**e, "data": {**e["data"], "session": None}} for e in events])
    assert told[0] == told[1]


async def test_days_that_are_over_come_to_an_end(tmp_path: Path) -> None:
    hall = SimulatedHall(replace(SMALL, habits=Habits(customers=5)), tmp_path, seed=1, run=7)
    async with hall:
        with pytest.raises(ValueError, match="no more days"):
            await hall.fill(10_000, days_ago=1)


async def test_a_second_run_goes_on_in_a_hall_that_was_left_in_the_middle_of_a_day(
    tmp_path: Path,
) -> None:
    go = asyncio.Event()
    async with SimulatedHall(SMALL, tmp_path, seed=1, run=7) as hall:
        await hall.catch_up(go)
        before = promised(hall.path)
    async with SimulatedHall(SMALL, tmp_path, seed=1, run=8) as hall:
        await hall.catch_up(go)
        # An hour in a hurry, with the tickets and windows that were left.
        await hall.days.live(hall.clock.now + 3_600_000)
    after = promised(hall.path)
    assert before.keys() < after.keys()
    assert "hall.ticket.called" in {json.loads(body)["type"] for body in before.values()}


def test_halls_are_numbered_and_of_all_classes() -> None:
    assert {hall_class(number) for number in range(1, 100)} == {"A", "B", "C", "D"}
    assert place(1) == place(1)
    for number in (0, MOST + 1):
        with pytest.raises(ValueError, match="there are halls 1 to"):
            place(number)


def event(id: str = "door/00000007/1", **more: Any) -> Json:
    return {
        "id": id,
        "type": "hall.count.passage",
        "source": "/hall/a/door",
        "subject": "zone/entrance",
        "time": "2026-03-01T18:59:59.999Z",
        "clockquality": "synced",
        "data": {"direction": "in"},
        **more,
    }


def row(event: Json) -> Json:
    time = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
    return {**event, "clock": event["clockquality"], "time": time}


def judged(events: list[Json], rows: list[Json]) -> Account:
    account = Account()
    compare(account, "a", {e["id"]: json.dumps(e).encode() for e in events}, rows)
    return account


def test_what_is_as_it_was_promised_is_right() -> None:
    account = judged([event()], [row(event())])
    assert account.right
    assert (account.promised, account.stored, account.wrong) == (1, 1, [])


@pytest.mark.parametrize(
    ("events", "rows", "told"),
    [
        ([event()], [], "promised, and no row"),
        ([event()], [row(event())] * 2, "2 rows"),
        ([], [row(event())], "never promised"),
        ([event()], [row(event(data={"direction": "out"}))], "data is"),
        ([event()], [row(event(time="2026-03-01T18:59:59.998Z"))], "time is"),
        ([event()], [row(event(source="/hall/b/door"))], "source is"),
    ],
)
def test_every_difference_is_told(events: list[Json], rows: list[Json], told: str) -> None:
    account = judged(events, rows)
    assert not account.right
    assert told in account.wrong[0]


def test_what_is_told_the_day_after_is_summed_on_its_own_day() -> None:
    """A press that a keypad held back, and a rating whose service ended before 3 o'clock."""
    late = {"time": "2026-03-02T04:00:00.000Z"}
    of_before = "2026-03-01T04:00:00.000Z"
    press = event("kp-1/00000007/1", type="hall.rating.quarantined", **late)
    rating = event("kp-1/00000007/2", type="hall.rating.given", **late)
    told = [
        {**press, "data": {"pressed_at": of_before}},
        {**rating, "data": {"mark": 4, "ended_at": of_before}},
    ]
    found = sums({e["id"]: json.dumps(e).encode() for e in told})
    assert {day.isoformat(): dict(+counted) for day, counted in found.items()} == {
        "2026-03-01": {"quarantined": 1, "mark4": 1},
        "2026-03-02": {"events": 2},
    }


def test_a_day_of_the_sums_ends_at_three_in_the_morning() -> None:
    late = event("door/00000007/2", time="2026-03-01T19:00:00.000Z")
    found = sums({e["id"]: json.dumps(e).encode() for e in (event(), late)})
    assert {day.isoformat(): counted["entered"] for day, counted in found.items()} == {
        "2026-03-01": 1,
        "2026-03-02": 1,
    }
