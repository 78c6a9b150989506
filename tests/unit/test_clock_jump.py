"""A clock that jumps a day, either way: what is underway goes on, and nothing new is forgotten."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hall_gateway import store
from hall_gateway.clock_jump import SETTLE_MS
from hall_gateway.core import Core
from support.core_hall import PLAN, Clock, Device, Hall

DAY_S = 24 * 3600


class Steady:
    """A clock that nobody sets, beside one that is set."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._set = 0

    def __call__(self) -> int:
        return self._clock.now - self._set

    def jump(self, seconds: int) -> None:
        self._clock.now += seconds * 1000
        self._set += seconds * 1000


@asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[tuple[Hall, Steady]]:
    clock = Clock()
    steady = Steady(clock)
    core = Core(PLAN, folder / "hall.db", 64, clock, steady)
    await core.start()
    try:
        yield Hall(core, clock), steady
    finally:
        await core.close()


both = pytest.mark.parametrize("jump", [DAY_S, -DAY_S])


async def test_a_disk_that_takes_its_time_is_no_jump(tmp_path: Path) -> None:
    async with running(tmp_path) as (hall, _):
        tick = hall.core._heart.tick

        def slow(now: int, settled: bool = True) -> None:
            tick(now, settled)
            hall.clock.pass_s(90)

        hall.core._heart.tick = slow
        await hall.core.tick()
        await hall.core.tick()
        assert "clock_jumps" not in hall.core.health()


@both
async def test_a_service_takes_as_long_as_it_took(tmp_path: Path, jump: int) -> None:
    async with running(tmp_path) as (hall, steady):
        await hall.do("call", window="1", ticket="A001")
        hall.clock.pass_s(60)
        await hall.core.tick()
        steady.jump(jump)
        hall.clock.pass_s(1)
        await hall.core.tick()
        await hall.do("start", window="1")
        hall.clock.pass_s(120)
        await hall.do("end", window="1")
        [started] = await hall.data("hall.service.started")
        [ended] = await hall.data("hall.service.ended")
        assert (started["waited_ms"], ended["served_ms"]) == (61_000, 120_000)


@both
async def test_a_window_was_open_for_as_long_as_it_was(tmp_path: Path, jump: int) -> None:
    async with running(tmp_path) as (hall, steady):
        await hall.do("staff", window="1", staff="王芳")
        hall.clock.pass_s(600)
        steady.jump(jump)
        await hall.core.tick()
        hall.clock.pass_s(300)
        await hall.do("staff", window="1", staff=None)
        spans: Any = await hall.core.do(lambda heart, now: heart._store.figures.between(0, 2**62))
        times = [span.ended - span.began for span in spans.open]
        assert times == [600_000, 300_000]


@both
async def test_an_open_session_stays_open(tmp_path: Path, jump: int) -> None:
    async with running(tmp_path) as (hall, steady):
        session = await hall.serve("A001")
        keypad = Device("kp-1")
        await hall.core.event("kp-1", keypad.event("press", {"key": 1, "session": session}))
        steady.jump(jump)
        await hall.core.tick()
        assert await hall.data("hall.rating.none") == []
        await hall.core.event("kp-1", keypad.event("close", {"session": session, "why": "lock"}))
        assert [given["ticket"] for given in await hall.data("hall.rating.given")] == ["A001"]


@both
async def test_a_text_and_a_devices_time_to_answer_last_as_long(tmp_path: Path, jump: int) -> None:
    async with running(tmp_path) as (hall, steady):
        await hall.do("show", window="1", text="今日停电", seconds=60)
        await hall.send("device", device="kp-1", do="identify", ttl_s=60)
        steady.jump(jump)
        hall.clock.pass_s(30)
        await hall.core.tick()
        assert hall.desired("disp-1")["view"] == "text"
        assert await hall.core.replies() == []
        hall.clock.pass_s(31)
        await hall.core.tick()
        assert hall.desired("disp-1")["view"] == "idle"
        [reply] = await hall.core.replies()
        assert b"did not answer in time" in reply.body


async def _forgotten(hall: Hall) -> int:
    before: Any = await hall.core.do(lambda heart, now: heart.sinks.value(COUNT))
    for _ in range(3):
        hall.clock.pass_s(61)
        await hall.core.tick()
    after: Any = await hall.core.do(lambda heart, now: heart.sinks.value(COUNT))
    return before - after


COUNT = "SELECT count(*) FROM events"


async def test_a_clock_far_ahead_deletes_nothing_until_it_has_stayed(tmp_path: Path) -> None:
    """Somebody, or a time server, is wrong by years for an hour."""
    async with running(tmp_path) as (hall, steady):
        floor = Device("wet")
        for _ in range(5):
            await hall.core.event("wet", floor.event("dry", {"ohms": 300_000}))
        steady.jump(10 * 365 * DAY_S)
        assert await _forgotten(hall) == 0
        steady.jump(-10 * 365 * DAY_S)
        assert await _forgotten(hall) == 0
        hall.clock.now += store.KEEP_MS
        assert await _forgotten(hall) == 5


async def test_a_clock_that_was_behind_forgets_with_age_again(tmp_path: Path) -> None:
    async with running(tmp_path) as (hall, steady):
        await hall.core.event("wet", Device("wet").event("dry", {"ohms": 300_000}))
        steady.jump(60 * DAY_S)
        assert await _forgotten(hall) == 0
        hall.clock.now += SETTLE_MS
        assert await _forgotten(hall) == 1


async def test_a_jump_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(tmp_path) as (hall, steady):
        steady.jump(DAY_S)
        for _ in range(3):
            await hall.core.tick()
        steady.jump(-30)  # what a time service corrects is no jump
        await hall.core.tick()
        assert caplog.text.count("the clock jumped by 86400 s") == 1
        assert hall.core.health()["clock_jumps"] == 1


async def test_older_times_were_told_by_a_right_clock(tmp_path: Path) -> None:
    """A machine without a battery for its clock starts an hour behind, and is told the time."""
    async with running(tmp_path) as (hall, _):
        await hall.do("call", window="1", ticket="A001")
        hall.clock.pass_s(60)
        await hall.core.tick()
        now = hall.clock.now
    clock = Clock(now - 3_600_000)
    steady = Steady(clock)
    core = Core(PLAN, tmp_path / "hall.db", 64, clock, steady)
    await core.start()
    hall = Hall(core, clock)
    await core.tick()
    steady.jump(3600)
    clock.pass_s(60)
    await core.tick()
    await hall.do("start", window="1")
    [started] = await hall.data("hall.service.started")
    assert started["waited_ms"] == 120_000
    await core.close()
