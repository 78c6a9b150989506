"""Tickets that wait, and when a window is open: every way in and out, and the night."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hall_gateway import clock_jump, tickets
from hall_gateway.clock_jump import Jump
from hall_gateway.hall_clock import DAY_MS, HOUR_MS, HallClock
from hall_gateway.state import HallState, Ticket, ticket_from, to_json, window_from
from hall_gateway.tickets import MAX_WAITING, Waiting, waiting
from hypothesis import given
from hypothesis import strategies as st
from support.core_hall import NOON, Clock, open_hall
from support.windows import Run

MINUTE = 60_000
CLOCK = HallClock()
NIGHT = CLOCK.began(NOON) + DAY_MS
"""Unix ms of the first nightly reset after the tests begin."""


@pytest.fixture
def run() -> Run:
    return Run()


def told(run: Run, noun: str) -> list[tuple[str, dict[str, Any]]]:
    """What was emitted about `noun`: verb and data."""
    emits = [emit for emit in run.emits if emit.type.startswith(f"hall.{noun}.")]
    return [(emit.type.rsplit(".", 1)[1], emit.data) for emit in emits]


def test_a_ticket_waits_until_its_call(run: Run) -> None:
    assert run.do("take", ticket="A001", business="缴费", priority=3) == {
        "ticket": "A001",
        "waiting": 1,
    }
    run.now += 7 * MINUTE
    run.do("call", window="1", ticket="A001", staff="王芳")
    assert run.state.tickets == {}
    who = {"ticket": "A001", "business": "缴费", "priority": 3}
    assert told(run, "ticket") == [
        ("taken", who),
        (
            "called",
            who | {"window": "1", "staff": "王芳", "queued_ms": 7 * MINUTE, "transferred": False},
        ),
    ]
    assert [emit.subject for emit in run.emits if ".ticket." in emit.type] == ["hall", "window/1"]


def test_the_call_may_name_another_business_than_the_take(run: Run) -> None:
    run.do("take", ticket="A001", business="缴费")
    run.do("call", window="1", ticket="A001", business="过户")
    assert run.last("ticket.called")["business"] == "过户"


def test_a_call_needs_no_take(run: Run) -> None:
    run.do("call", window="1", ticket="A001")
    called = run.last("ticket.called")
    assert (called["queued_ms"], called["priority"]) == (None, None)


def test_waited_stays_the_way_from_the_call_to_the_start(run: Run) -> None:
    run.do("take", ticket="A001")
    run.now += 7 * MINUTE
    run.do("call", window="1", ticket="A001")
    run.now += MINUTE
    run.do("start", window="1")
    assert run.last("service.started")["waited_ms"] == MINUTE


def test_a_transferred_ticket_has_waited_before(run: Run) -> None:
    run.do("take", ticket="A001", business="缴费")
    run.do("call", window="1", ticket="A001")
    run.do("transfer", window="1", to="2")
    called = run.last("ticket.called")
    assert (called["window"], called["business"]) == ("2", "缴费")
    assert (called["queued_ms"], called["transferred"]) == (None, True)


def test_the_end_says_how_long_the_ticket_had_waited(run: Run) -> None:
    """So whoever receives it knows a no-show's wait without looking for its call."""
    run.do("take", ticket="A001")
    run.now += 7 * MINUTE
    run.do("call", window="1", ticket="A001")
    run.now += MINUTE
    run.do("transfer", window="1", to="2")
    assert run.last("service.ended")["queued_ms"] == 7 * MINUTE
    run.do("no_show", window="2")
    assert run.last("service.ended")["queued_ms"] is None
    run.do("call", window="1", ticket="B001")
    run.do("no_show", window="1")
    assert run.last("service.ended")["queued_ms"] is None


def test_a_customer_who_waits_may_give_up(run: Run) -> None:
    run.do("take", ticket="A001", business="缴费")
    run.now += 30 * MINUTE
    assert run.do("cancel", ticket="A001") == {"ticket": "A001", "waiting": 0}
    assert run.last("ticket.cancelled") == {
        "ticket": "A001",
        "business": "缴费",
        "priority": 0,
        "taken_at": "2027-01-15T08:00:00.000Z",
        "queued_ms": 30 * MINUTE,
    }


@pytest.mark.parametrize(
    ("before", "name", "error"),
    [
        ([("take", {})], "take", "ticket A001 is waiting already; cancel it first"),
        ([("call", {"window": "1"})], "take", "ticket A001 is at window 1; a ticket is taken befo"),
        ([], "cancel", "ticket A001 is not waiting; only one that was taken and not yet called"),
        (
            [("take", {}), ("call", {"window": "1"})],
            "cancel",
            "ticket A001 is not waiting; only one that was taken and not yet called",
        ),
    ],
)
def test_what_cannot_be_done_says_why(
    run: Run, before: list[tuple[str, dict[str, str]]], name: str, error: str
) -> None:
    for command, fields in before:
        run.do(command, ticket="A001", **fields)
    state, emits = dict(run.state.tickets), list(run.emits)
    with pytest.raises(ValueError, match=error):
        run.do(name, ticket="A001")
    assert (run.state.tickets, run.emits) == (state, emits)


def test_a_ticket_forgotten_at_a_window_yesterday_can_be_taken_anew(run: Run) -> None:
    run.do("call", window="1", ticket="A001")
    run.now = NIGHT
    run.do("take", ticket="A001")
    assert list(run.state.tickets) == ["A001"]


def test_the_queue_has_a_bound(run: Run) -> None:
    for number in range(MAX_WAITING):
        run.do("take", ticket=f"A{number:04}")
    with pytest.raises(ValueError, match=f"{MAX_WAITING} tickets are waiting already"):
        run.do("take", ticket="B001")
    run.do("cancel", ticket="A0007")
    run.do("take", ticket="B001")


def test_the_night_sends_everybody_home_once(run: Run) -> None:
    run.do("take", ticket="A001", business="缴费")
    run.now = NIGHT - 1
    assert run.take(run.sessions.tick(run.now)).emits == []
    run.do("take", ticket="A002")
    run.now = NIGHT
    run.do("take", ticket="A003")
    run.take(run.sessions.tick(run.now))
    assert [data["ticket"] for verb, data in told(run, "ticket") if verb == "abandoned"] == [
        "A001",
        "A002",
    ]
    assert run.last("ticket.abandoned")["queued_ms"] == 1
    assert list(run.state.tickets) == ["A003"]
    assert run.sessions.tick(run.now).emits == []


def test_who_waits_by_business(run: Run) -> None:
    for minute, business in ((0, "缴费"), (1, "缴费"), (5, None), (9, "过户")):
        run.now = NOON + minute * MINUTE
        run.do("take", ticket=f"A{minute:03}", business=business)
    queue = waiting(run.state, NOON + 10 * MINUTE)
    assert queue.whole == Waiting(4, 10 * MINUTE, 10 * MINUTE)
    assert queue.by_business == {
        "缴费": Waiting(2, 10 * MINUTE, 10 * MINUTE),
        None: Waiting(1, 5 * MINUTE, 5 * MINUTE),
        "过户": Waiting(1, MINUTE, MINUTE),
    }
    assert waiting(HallState(), NOON).whole == Waiting(0, None, None)


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=50))
def test_p90_is_a_wait_that_at_least_nine_in_ten_do_not_exceed(ages: list[int]) -> None:
    state = HallState(tickets={f"{n}": Ticket(f"{n}", NOON - age) for n, age in enumerate(ages)})
    whole = tickets.waiting(state, NOON).whole
    assert whole.p90_ms in ages
    assert sum(age <= whole.p90_ms for age in ages) * 10 >= 9 * len(ages)
    assert sum(age < whole.p90_ms for age in ages) * 10 < 9 * len(ages)
    assert (whole.count, whole.oldest_ms) == (len(ages), max(ages))


def test_a_clock_that_was_set_back_makes_no_wait_negative(run: Run) -> None:
    run.do("take", ticket="A001")
    assert waiting(run.state, NOON - HOUR_MS).whole == Waiting(1, 0, 0)


async def test_who_waits_is_kept_over_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    async with open_hall(tmp_path, clock) as hall:
        await hall.do("take", ticket="A001", business="缴费")
        await hall.do("take", ticket="A002")
        await hall.do("take", ticket="A003")
        await hall.do("cancel", ticket="A002")
    clock.pass_s(60)
    async with open_hall(tmp_path, clock) as hall:
        await hall.do("call", ticket="A001", window="1")
        [called] = await hall.data("hall.ticket.called")
        assert (called["business"], called["queued_ms"]) == ("缴费", 60_000)
        assert await hall.error("cancel", ticket="A001")
        assert (await hall.do("cancel", ticket="A003"))["waiting"] == 0


def test_a_ticket_goes_to_the_store_and_back() -> None:
    ticket = Ticket("A001", NOON, "缴费", 9)
    assert ticket_from(to_json(ticket)) == ticket


# When a window is open.


def window_events(run: Run) -> list[tuple[str, str | None]]:
    return [(verb, data["staff"]) for verb, data in told(run, "window")]


def test_a_window_is_open_from_login_to_logout(run: Run) -> None:
    run.do("staff", window="1", staff="王芳")
    run.do("call", window="1", ticket="A001")
    run.do("start", window="1")
    run.do("end", window="1")
    run.now += MINUTE
    run.do("staff", window="1", staff=None)
    assert window_events(run) == [("opened", "王芳"), ("closed", "王芳")]
    assert run.last("window.closed") == {
        "window": "1",
        "staff": "王芳",
        "reason": "logout",
        "until": "2027-01-15T08:01:00.000Z",
    }


def test_who_takes_over_opens_it_anew(run: Run) -> None:
    run.do("staff", window="1", staff="王芳")
    run.do("call", window="1", ticket="A001", staff="李明")
    run.do("staff", window="1", staff="李明")
    assert window_events(run) == [("opened", "王芳"), ("opened", "李明")]


def test_where_nobody_logs_in_nothing_is_open(run: Run) -> None:
    run.serve()
    assert window_events(run) == []


def test_a_pause_begins_when_the_ticket_is_done_with(run: Run) -> None:
    run.do("call", window="1", ticket="A001", staff="王芳")
    run.do("pause", window="1")
    assert window_events(run) == [("opened", "王芳")]
    run.do("no_show", window="1")
    run.do("resume", window="1")
    assert window_events(run)[1:] == [("paused", "王芳"), ("resumed", "王芳")]
    assert run.types()[-3:] == ["service.ended", "window.paused", "window.resumed"]


def test_the_night_closes_what_nobody_closed_until_it_was_last_used(run: Run) -> None:
    run.do("call", window="1", ticket="A001", staff="王芳")
    run.now += MINUTE
    run.do("no_show", window="1")
    run.now = NIGHT
    run.take(run.sessions.tick(run.now))
    run.take(run.sessions.tick(run.now))
    assert window_events(run) == [("opened", "王芳"), ("closed", "王芳")]
    assert run.last("window.closed") == {
        "window": "1",
        "staff": "王芳",
        "reason": "night",
        "until": "2027-01-15T08:01:00.000Z",
    }
    assert run.state.windows["1"].staff == "王芳"
    run.now += 5 * HOUR_MS
    run.do("call", window="1", ticket="A001")
    assert window_events(run)[2:] == [("opened", "王芳")]


def test_a_window_of_an_older_store_is_opened_by_what_happens_there_next(run: Run) -> None:
    run.state.put(window_from('{"id": "1", "state": "idle", "staff": "王芳"}'))
    run.do("call", window="1", ticket="A001")
    assert window_events(run) == [("opened", "王芳")]
    assert replace(run.state.windows["1"], active=0).attended == run.now


def test_a_clock_that_is_set_makes_no_open_time_and_moves_no_rating(run: Run) -> None:
    run.do("staff", window="1", staff="王芳")
    session = run.serve("A001")
    run.now += DAY_MS
    run.take(clock_jump.moved(run.state, Jump(NOON, NOON + 5000, DAY_MS)))
    run.take(run.sessions.tick(run.now))
    assert window_events(run) == [("opened", "王芳"), ("closed", "王芳"), ("opened", "王芳")]
    closed = run.last("window.closed")
    assert (closed["reason"], closed["until"]) == ("clock", "2027-01-15T08:00:05.000Z")
    run.take(clock_jump.moved(run.state, Jump(run.now + 1, run.now + 2, DAY_MS)))
    assert len(window_events(run)) == 3  # it was opened by a clock that was right
    [none] = run.close(session)
    assert none.data["ended_at"] == "2027-01-15T08:00:00.000Z"


# The hall's clock.


def test_a_day_begins_at_the_reset_and_has_the_date_of_then() -> None:
    began, over = CLOCK.day(CLOCK.date(NOON))
    assert began == CLOCK.began(NOON)
    assert (CLOCK.text(began), CLOCK.text(over)) == ("2027-01-15 03:00", "2027-01-16 03:00")
    assert CLOCK.date(over - 1) == CLOCK.date(began)
    assert CLOCK.hour(NOON) == 16


@given(st.integers(0, 23), st.integers(-720, 840), st.integers(0, 2**42))
def test_every_moment_is_in_the_day_of_its_date(reset: int, offset: int, at: int) -> None:
    clock = HallClock(reset, offset)
    began, over = clock.day(clock.date(at))
    assert began == clock.began(at) <= at < over
    assert clock.hour(began) == reset
