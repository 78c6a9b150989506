"""The writer: group commit, and what becomes of jobs when a transaction fails."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from hall_gateway import writer as writer_module
from hall_gateway.values import StoreError, StoreFullError
from hall_gateway.writer import MAX_BATCH, Writer


class Memory:
    """A target that keeps what is committed in a list, and fails when it is told to."""

    def __init__(self) -> None:
        self.committed: list[int] = []
        self.batches: list[int] = []
        self.pending: list[int] = []
        self.is_full = False
        self.fault: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False

    def open(self) -> None:
        if self.fault:
            raise self.fault

    def begin(self) -> None:
        self.gate.wait(60)
        self.pending = []

    def commit(self) -> None:
        if self.fault:
            raise self.fault
        self.committed += self.pending
        self.batches.append(len(self.pending))

    def rollback(self) -> None:
        self.pending = []

    def full(self) -> bool:
        return self.is_full

    def refuse(self) -> StoreFullError:
        return StoreFullError("full")

    def close(self) -> None:
        self.closed = True

    def add(self, number: int) -> int:
        self.pending.append(number)
        return number


@asynccontextmanager
async def writing(target: Memory) -> AsyncGenerator[Writer]:
    writer = Writer(target)
    await writer.open()
    try:
        yield writer
    finally:
        await writer.close()
        assert target.closed


async def test_a_lone_job_is_committed_by_itself() -> None:
    target = Memory()
    async with writing(target) as writer:
        for number in range(3):
            assert await writer.run(lambda number=number: target.add(number)) == number
    assert target.batches == [1, 1, 1]


async def test_what_waits_is_committed_together_in_order() -> None:
    target = Memory()
    async with writing(target) as writer:
        target.gate.clear()
        jobs = [
            asyncio.ensure_future(writer.run(lambda number=number: target.add(number)))
            for number in range(2 * MAX_BATCH + 50)
        ]
        await asyncio.sleep(0)
        target.gate.set()
        await asyncio.gather(*jobs)
    assert target.committed == list(range(2 * MAX_BATCH + 50))
    assert max(target.batches) <= MAX_BATCH
    assert len(target.batches) <= 4


async def test_a_lazy_job_rides_with_the_next_that_grows() -> None:
    target = Memory()
    async with writing(target) as writer:
        lazy = asyncio.ensure_future(writer.run(lambda: target.add(1), lazy=True))
        await asyncio.sleep(0)
        await writer.run(lambda: None)  # one that only reads takes nobody along
        assert not lazy.done()
        await writer.run(lambda: target.add(2), grows=True)
        assert await lazy == 1
    assert target.batches.count(0) <= 1
    assert target.committed == [1, 2]


async def test_a_lazy_job_waits_for_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "LAZY_S", 0.01)
    target = Memory()
    async with writing(target) as writer:
        for number in range(2):
            assert await writer.run(lambda number=number: target.add(number), lazy=True) == number
    assert target.batches == [1, 1]


async def test_an_orderly_end_commits_what_is_lazy() -> None:
    target = Memory()
    async with writing(target) as writer:
        lazy = asyncio.ensure_future(writer.run(lambda: target.add(1), lazy=True))
        await asyncio.sleep(0)
    assert target.committed == [1]
    assert await lazy == 1


async def test_nothing_is_answered_before_its_commit() -> None:
    target = Memory()
    async with writing(target) as writer:
        seen: list[bool] = []

        async def one(number: int) -> None:
            await writer.run(lambda: target.add(number))
            seen.append(number in target.committed)

        await asyncio.gather(*(one(number) for number in range(300)))
    assert seen == [True] * 300


async def test_a_disk_fault_fails_the_batch_and_passes() -> None:
    target = Memory()
    async with writing(target) as writer:
        target.fault = sqlite3.OperationalError("disk I/O error")
        failed = await asyncio.gather(
            *(writer.run(lambda: target.add(1)) for _ in range(3)), return_exceptions=True
        )
        assert [str(error) for error in failed] == ["nothing was committed: disk I/O error"] * 3
        assert all(type(error) is StoreError for error in failed)
        target.fault = None
        await writer.run(lambda: target.add(2))
    assert target.committed == [2]


async def test_a_full_disk_has_its_own_error() -> None:
    target = Memory()
    async with writing(target) as writer:
        fault = sqlite3.OperationalError("database or disk is full")
        fault.sqlite_errorcode = sqlite3.SQLITE_FULL
        target.fault = fault
        with pytest.raises(StoreFullError):
            await writer.run(lambda: target.add(1))


async def test_a_broken_job_harms_no_other() -> None:
    target = Memory()

    def broken() -> int:
        target.add(-1)
        raise sqlite3.IntegrityError("UNIQUE constraint failed")

    async with writing(target) as writer:
        target.gate.clear()
        first = asyncio.ensure_future(writer.run(lambda: target.add(1)))
        jobs = [
            asyncio.ensure_future(writer.run(broken if n == 2 else lambda: target.add(2)))
            for n in range(4)
        ]
        await asyncio.sleep(0)
        target.gate.set()
        outcomes = await asyncio.gather(first, *jobs, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, int, int, sqlite3.IntegrityError, int]
    assert target.committed == [1, 2, 2, 2]


async def test_a_disk_is_well_again_only_when_something_was_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ticks commit nothing, so on a full disk they pass: one line in the log, not two a second."""
    target = Memory()

    async def fails() -> None:
        with pytest.raises(StoreError):
            await writer.run(lambda: target.add(1), grows=True)

    async with writing(target) as writer:
        for _ in range(3):
            target.fault = sqlite3.OperationalError("disk I/O error")
            await fails()
            target.fault = None
            await writer.run(lambda: None)
        assert len(caplog.records) == 1
        await writer.run(lambda: target.add(2), grows=True)
    assert caplog.messages[-1] == "the store takes events again"
    assert len(caplog.records) == 2


async def test_a_full_store_refuses_only_what_grows() -> None:
    target = Memory()
    async with writing(target) as writer:
        target.is_full = True
        with pytest.raises(StoreFullError):
            await writer.run(lambda: target.add(1), grows=True)
        await writer.run(lambda: target.add(2))
        target.is_full = False
        await writer.run(lambda: target.add(3), grows=True)
    assert target.committed == [2, 3]


async def test_what_was_asked_for_is_done_before_closing() -> None:
    target = Memory()
    async with writing(target) as writer:
        target.gate.clear()
        jobs = [asyncio.ensure_future(writer.run(lambda: target.add(1))) for _ in range(5)]
        await asyncio.sleep(0)
        target.gate.set()
    await asyncio.gather(*jobs)
    assert target.committed == [1] * 5
    with pytest.raises(StoreError, match="closed"):
        await writer.run(lambda: target.add(2))


async def test_one_who_no_longer_waits_harms_nobody() -> None:
    target = Memory()
    async with writing(target) as writer:
        target.gate.clear()
        gone = asyncio.ensure_future(writer.run(lambda: target.add(1)))
        await asyncio.sleep(0)
        gone.cancel()
        target.gate.set()
        await writer.run(lambda: target.add(2))
    assert target.committed == [1, 2]


async def test_a_target_that_does_not_open() -> None:
    target = Memory()
    target.fault = ValueError("no")
    writer = Writer(target)
    with pytest.raises(ValueError, match="no"):
        await writer.open()
    await writer.close()


async def test_neighbours_for_the_same_work_are_handed_to_it_together() -> None:
    target = Memory()
    calls: list[list[int]] = []

    def several(numbers: list[int]) -> list[int]:
        calls.append(numbers)
        return [target.add(number) for number in numbers]

    async with writing(target) as writer:
        target.gate.clear()
        jobs = [writer.run(lambda: target.add(0))]
        jobs += [writer.join(several, number, grows=True, weight=1) for number in (1, 2)]
        jobs.append(writer.run(lambda: target.add(3)))
        jobs.append(writer.join(several, 4, grows=True, weight=1))
        waiting = asyncio.gather(*jobs)
        await asyncio.sleep(0)
        target.gate.set()
        assert await waiting == [0, 1, 2, 3, 4]
    assert target.committed == [0, 1, 2, 3, 4]
    assert [number for call in calls for number in call] == [1, 2, 4]
    assert [4] in calls, "what stands between keeps its place"


async def test_a_full_store_refuses_each_of_those_that_are_handed_on_together() -> None:
    target = Memory()
    target.is_full = True
    async with writing(target) as writer:
        never = list[int].copy
        jobs = [writer.join(never, number, grows=True, weight=1) for number in range(2)]
        assert all(
            isinstance(outcome, StoreFullError)
            for outcome in await asyncio.gather(*jobs, return_exceptions=True)
        )
