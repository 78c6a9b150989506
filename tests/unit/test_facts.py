"""Facts: late events in their place, what is taken back, and how long they are kept."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.facts import Facts, Passages, Presses
from hall_gateway.figures import report
from hall_gateway.hall_clock import DAY_MS, HOUR_MS, QUARTER_MS, HallClock
from hall_gateway.kpi_services import Rules
from hall_gateway.plan import RatingRules
from hall_gateway.schema import open_store
from hall_gateway.store import Store
from hall_gateway.store_figures import KEEP_MS, SHARE, Figures
from support.core_hall import NOON, PLAN, Clock, Device, Hall, open_hall

CLOCK = HallClock()
TODAY = CLOCK.began(NOON)


async def in_store(hall: Hall, work: Callable[[Store], Any]) -> Any:
    return await hall.core.do(lambda heart, now: work(heart._store))


async def facts(hall: Hall, first: int = 0, last: int = 2**62) -> Facts:
    return await in_store(hall, lambda store: store.figures.between(first, last))


async def test_a_late_passage_is_counted_when_it_happened(tmp_path: Path) -> None:
    clock = Clock()
    async with open_hall(tmp_path, clock) as hall:
        counter = Device("cnt")
        payload = counter.event("passage", {"dir": "in"}, t=NOON - HOUR_MS)
        await hall.core.event("cnt", payload)
        await hall.core.event("cnt", payload)
        [passed] = (await facts(hall)).passages
        assert passed == Passages(NOON - HOUR_MS, "zone/entrance", "in", 1)
        assert NOON % QUARTER_MS == 0


async def test_a_rating_of_yesterday_goes_to_yesterdays_service(tmp_path: Path) -> None:
    """The same ticket at the same window on both days, and the keypad was cut off all night."""
    clock = Clock()
    async with open_hall(tmp_path, clock) as hall:
        keypad = Device("kp-1")
        kept: list[bytes] = []
        for key in (5, 1):
            session = await hall.serve("A001")
            for kind, more in (("press", {"key": key}), ("close", {"why": "lock"})):
                kept.append(keypad.event(kind, {"session": session} | more, t=clock.now + 5000))
            clock.pass_s(20 * 3600)
        for payload in kept:
            await hall.core.event("kp-1", payload)
        assert [each.mark for each in (await facts(hall)).services] == [1, 5]


async def test_a_press_that_does_not_count_after_all_moves(tmp_path: Path) -> None:
    plan = replace(PLAN, rules=RatingRules(min_service_s=0, fast_s=30, fast_run=1))
    async with open_hall(tmp_path, plan=plan) as hall:
        keypad = Device("kp-1")
        session = await hall.serve("A001")
        await hall.core.event("kp-1", keypad.event("press", {"key": 1, "session": session}))
        told = (await facts(hall)).presses
        assert [(each.reason, each.presses) for each in told] == [("", 1)]
        await hall.core.event("kp-1", keypad.event("close", {"session": session, "why": "lock"}))
        found = await facts(hall)
        assert found.presses == (
            Presses(NOON, "1", "", 0),
            Presses(NOON, "1", "fast_best_run", 1),
        )
        [service] = found.services
        assert (service.verdict, service.prompted, service.mark) == ("fast_best_run", True, None)


async def test_an_event_of_a_clock_far_ahead_is_in_no_report(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        counter = Device("cnt")
        for ahead in (DAY_MS + 1, DAY_MS, -KEEP_MS - 1):
            payload = counter.event("passage", {"dir": "in"}, t=NOON + ahead)
            await hall.core.event("cnt", payload)
        assert [each.quarter for each in (await facts(hall)).passages] == [NOON + DAY_MS]
        assert hall.core.health()["misdated"] == 2


async def test_a_service_whose_call_was_before_there_were_facts(tmp_path: Path) -> None:
    clock = Clock()
    async with open_hall(tmp_path, clock) as hall:
        for ticket, first in (("A001", "call"), ("A002", "start")):
            await hall.do("call", window="1", ticket=ticket, business="缴费")
            clock.pass_s(10)
            if first == "start":
                await hall.do("start", window="1")
                clock.pass_s(60)
            await in_store(hall, lambda store: store.run("DELETE FROM fact_services").rowcount)
            if first == "call":
                await hall.do("start", window="1")
                clock.pass_s(60)
            await hall.do("end", window="1")
            [service] = (await facts(hall)).services
            ended = clock.now
            assert (service.called, service.started) == (ended - 70_000, ended - 60_000)
            assert (service.ended, service.served, service.queued) == (ended, 60_000, None)
            assert (service.business, service.reason) == ("缴费", "completed")


async def test_a_commit_that_fails_takes_its_facts_back(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:

        def fails(store: Store) -> None:
            store.figures.taken("A001", None, 0, NOON)
            raise RuntimeError("no")

        with pytest.raises(RuntimeError):
            await in_store(hall, fails)
        assert (await facts(hall)).tickets == ()


# How long they are kept.


def filled(path: Path, days: int, a_day: int, max_mb: int = 64) -> Store:
    """A store with `days` days of `a_day` tickets, calls and passages each, the last one today."""
    store = Store(open_store(path, max_mb), path)
    store.begin()
    for day in range(days):
        began = TODAY - (days - 1 - day) * DAY_MS + 5 * HOUR_MS
        for number in range(a_day):
            at = began + number * 60_000
            store.figures.taken(f"A{number:03}", "电费缴纳", 0, at)
            store.run(
                "INSERT INTO fact_services (ticket, window, staff, business, transferred, called) "
                "VALUES (?, '1', '王芳', '电费缴纳', 0, ?)",
                (f"A{number:03}", at),
            )
        store.figures.passed(began, "zone/entrance", "in")
    store.commit()
    return store


def days_kept(figures: Figures) -> set[int]:
    found = figures.between(0, 2**62)
    days = {CLOCK.began(ticket.taken) for ticket in found.tickets}
    assert days == {CLOCK.began(service.called) for service in found.services}
    assert days == {CLOCK.began(each.quarter) for each in found.passages}
    return days


def test_facts_go_by_whole_days_when_they_are_old(tmp_path: Path) -> None:
    store = filled(tmp_path / "hall.db", 5, 20)
    with closing(store):
        figures = store.figures
        oldest = min(days_kept(figures))
        # All of the oldest day's are over their age, the first a whole day after.
        now = oldest + 5 * HOUR_MS + KEEP_MS + DAY_MS
        assert figures.forget(now, CLOCK) == 0
        assert figures.forget(now + 1, CLOCK) == 41
        assert min(days_kept(figures)) == oldest + DAY_MS
        assert figures.forget(now + 1, CLOCK) == 0
        assert figures.between(0, NOON).kept_from == oldest + DAY_MS
        # What a device tells much later makes the days that went no more complete.
        figures.passed(oldest - DAY_MS, "zone/entrance", "in")
        assert figures.forget(now + 1, CLOCK) == 1
        assert figures.between(0, NOON).kept_from == oldest + DAY_MS
        for _ in range(10):
            figures.forget(now + 10 * DAY_MS, CLOCK)
        assert figures.oldest() is None


def test_facts_keep_to_their_share_of_the_store(tmp_path: Path) -> None:
    path = tmp_path / "hall.db"
    store = filled(path, 30, 200, max_mb=4)
    with closing(store):
        pages = store.value("PRAGMA page_count")
        kept: list[int] = []
        while store.figures.forget(NOON, CLOCK):
            kept.append(len(days_kept(store.figures)))
        assert kept == list(range(29, 29 - len(kept), -1))
        limit = store.value("PRAGMA max_page_count")
        assert 0.5 * SHARE < (used := store.used()) - 40 / limit < SHARE * 1.1, used
        assert pages > store.used() * limit


async def test_facts_go_before_an_event_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "hall.db", 3, 400, max_mb=1).close()
    clock = Clock()
    async with open_hall(tmp_path, clock, max_mb=1) as hall:
        await hall.rows()  # a sink that gets nothing
        counter = Device("cnt")
        before: set[int] = await in_store(hall, lambda store: days_kept(store.figures))
        while (await in_store(hall, lambda store: store.figures.oldest())) < min(before) + DAY_MS:
            assert await hall.core.event("cnt", counter.event("passage", {"dir": "in"}))
        assert await in_store(hall, lambda store: days_kept(store.figures)) == before - {
            min(before)
        }
        assert hall.core.health()["store_full"] is False


async def test_a_report_reads_beside_the_gateway(tmp_path: Path) -> None:
    clock = Clock()
    async with open_hall(tmp_path, clock) as hall:
        await hall.do("take", ticket="A001")
        uri = f"{(tmp_path / 'hall.db').as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            rules = Rules("demo")
            found = report(connection, rules, TODAY, TODAY + DAY_MS, clock.now)
            assert (found.tickets.taken, found.tickets.waiting) == (1, 1)
            await hall.do("cancel", ticket="A001")
            found = report(connection, rules, TODAY, TODAY + DAY_MS, clock.now)
            assert (found.tickets.waiting, found.tickets.walk_away.share) == (0, 1.0)
