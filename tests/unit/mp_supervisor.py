"""The real supervisor, its clock, watchdog and reset faked. Prints a line for each case that holds.

Time is virtual: it goes on to the next moment that somebody waits for whenever every task had its
turn.
"""

import asyncio

from hall.supervisor import Supervisor


class World:
    """A chip, and what the supervisor did to it."""

    def __init__(self):
        self.feeds = 0
        self.reports = []
        self.resets = []
        self.supervisor = Supervisor(self, self.uptime, self.reports.append, self.reset)

    def feed(self):
        self.feeds += 1

    def uptime(self):
        return now

    def reset(self, why):
        self.resets.append(why)
        raise asyncio.CancelledError


now = 0
_sleep_ms = asyncio.sleep_ms


_moments = []  # that somebody waits for, the next one last


async def sleep_ms(ms):
    until = now + ms
    if ms > 0:
        _moments.append(until)
        _moments.sort(reverse=True)
    while now < until:
        await _sleep_ms(0)


async def tick():
    global now
    while True:
        # Whoever was woken, and whoever that one woke.
        for _ in range(3):
            await _sleep_ms(0)
        while _moments and _moments[-1] <= now:
            _moments.pop()
        now = _moments[-1] if _moments else now + 1


asyncio.sleep_ms = sleep_ms


async def run(world, ms):
    """The supervisor for so long, or until it resets the chip: then False."""
    task = asyncio.create_task(world.supervisor.run())
    end = now + ms
    while now < end and not world.resets:
        await sleep_ms(min(50, end - now))
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    return not world.resets


async def a_healthy_task_keeps_the_watchdog_fed():
    world = World()

    async def work():
        while True:
            world.supervisor.check_in("work")
            await asyncio.sleep_ms(100)

    world.supervisor.add("work", work, 1000, 0)
    assert await run(world, 20_000)
    assert 19 <= world.feeds <= 21, world.feeds
    assert world.resets == world.reports == []


async def a_silent_task_starves_the_watchdog_and_resets_with_a_note():
    world = World()

    async def busy():
        while True:
            world.supervisor.check_in("busy")
            await asyncio.sleep_ms(100)

    async def stuck():
        await asyncio.sleep_ms(10_000_000)

    world.supervisor.add("busy", busy, 1000, 0)
    world.supervisor.add("stuck", stuck, 3000, 0)
    assert not await run(world, 60_000)
    assert world.resets[0].startswith("stuck: no progress in "), world.resets
    fed = world.feeds
    assert 2 <= fed <= 4, fed


async def a_failing_task_is_counted_and_started_again_with_back_off():
    world = World()
    starts = []

    async def fails():
        starts.append(now)
        raise ValueError("no such thing")

    world.supervisor.add("fails", fails, 1000, 3)
    assert await run(world, 5000)
    assert len(starts) == len(world.reports)
    assert world.reports[0] == "fails: ValueError: no such thing", world.reports
    first, second = starts[1] - starts[0], starts[2] - starts[1]
    assert 900 <= first <= 1100, starts
    assert 1900 <= second <= 3100, starts
    assert world.resets == []


async def a_task_that_returns_has_failed_too():
    world = World()

    async def returns():
        pass

    world.supervisor.add("returns", returns, 1000, 0)
    assert not await run(world, 3000)
    assert world.reports == ["returns: returned"]
    assert world.resets == ["returns: returned"]


async def too_many_failures_in_succession_reset_the_chip():
    world = World()

    async def fails():
        raise OSError(5)

    world.supervisor.add("fails", fails, 1000, 2)
    assert not await run(world, 60_000)
    assert len(world.reports) == 3
    assert world.resets == ["fails: OSError: [Errno 5] EIO"], world.resets


async def a_long_healthy_time_forgives_failures():
    world = World()

    async def fails_after_a_while():
        for _ in range(700):
            world.supervisor.check_in("rare")
            await asyncio.sleep_ms(100)
        raise ValueError("again")

    world.supervisor.add("rare", fails_after_a_while, 1000, 1)
    assert await run(world, 500_000)
    assert len(world.reports) >= 3
    assert world.resets == []


async def cancelling_leaves_no_orphan():
    world = World()
    ended = []

    async def work():
        try:
            while True:
                world.supervisor.check_in("work")
                await asyncio.sleep_ms(100)
        finally:
            ended.append(True)

    world.supervisor.add("work", work, 1000, 0)
    assert await run(world, 500)
    await sleep_ms(10)
    assert ended == [True]


async def it_stops_when_every_task_has_closed_what_it_holds():
    world = World()
    ended = []

    async def holds():
        try:
            while True:
                world.supervisor.check_in("holds")
                await asyncio.sleep_ms(100)
        finally:
            await sleep_ms(50)
            ended.append("holds")

    async def fails_to_close():
        try:
            while True:
                world.supervisor.check_in("fails")
                await asyncio.sleep_ms(100)
        finally:
            ended.append("fails")
            raise OSError(5)

    world.supervisor.add("holds", holds, 1000, 5)
    world.supervisor.add("fails", fails_to_close, 1000, 5)
    running = asyncio.create_task(world.supervisor.run())
    await sleep_ms(500)
    assert ended == []
    world.supervisor.stop()
    began = now
    await running
    assert sorted(ended) == ["fails", "holds"], ended
    assert now - began < 1200, now - began
    assert world.resets == []


CASES = (
    a_healthy_task_keeps_the_watchdog_fed,
    a_silent_task_starves_the_watchdog_and_resets_with_a_note,
    a_failing_task_is_counted_and_started_again_with_back_off,
    a_task_that_returns_has_failed_too,
    too_many_failures_in_succession_reset_the_chip,
    a_long_healthy_time_forgives_failures,
    cancelling_leaves_no_orphan,
    it_stops_when_every_task_has_closed_what_it_holds,
)


async def main():
    asyncio.create_task(tick())
    for case in CASES:
        await case()
        print("ok", case.__name__)


asyncio.run(main())
