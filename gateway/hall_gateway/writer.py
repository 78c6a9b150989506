"""The one thread that writes: what is asked of it goes into a transaction, with what else waits.

Here: the thread, group commit, and what happens when a commit fails. Not here: SQL (store.py), and
what is done in a transaction (core.py hands it in).

Group commit without a timer: what comes during one commit goes into the next, until that has
MAX_BATCH rows or more. Measured in docs/decisions/2026-11-22-group-commit-without-a-timer.md.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from hall_gateway.values import StoreError, StoreFullError

MAX_BATCH = 200

LAZY_S = 0.2
"""So long a lazy job waits for another to be committed with."""

_DAMAGED = (
    "; its file is damaged: stop the gateway, and restore a backup or move the file away; devices "
    "hold what was not acked"
)

T = TypeVar("T")
Item = TypeVar("Item")
_log = logging.getLogger(__name__)


class Target(Protocol):
    """What the writer writes to, all in its own thread."""

    def open(self) -> None: ...
    def begin(self) -> None: ...
    def commit(self) -> None:
        """Commit, then let it be known what changed."""
        ...

    def rollback(self) -> None:
        """Undo the transaction, in memory too."""
        ...

    def full(self) -> bool:
        """Whether the store may not grow now. Inside a transaction."""
        ...

    def refuse(self) -> StoreFullError:
        """Count a job that a full store did not take; the error for its caller."""
        ...

    def close(self) -> None: ...


@dataclass
class _Job:
    work: Callable[[list[Any]], list[Any]]
    item: Any
    grows: bool
    future: asyncio.Future[Any]
    weight: int
    outcome: Any = None
    error: Exception | None = None


class Writer:
    """Runs jobs in `target`'s transactions, in the order they came."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._closed = False
        self._failing = False
        self._lazy: list[_Job] = []  # and the timer that ends their wait
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Start the thread and open the target in it; raises what its open() raises."""
        self._thread.start()
        try:
            await self._opened
        except BaseException:
            self._closed = True
            raise

    async def run(
        self, work: Callable[[], T], *, grows: bool = False, weight: int = 1, lazy: bool = False
    ) -> T:
        """What `work` returns, after the commit of the transaction that it ran in.

        `grows`: it adds to the store, so a full one refuses it (StoreFullError); `weight`: how
        many events it has; `lazy`: it goes with the next that grows, or after LAZY_S, so that it
        needs no commit of its own. Raises StoreError when nothing was committed.
        """
        return await self._run_job(lambda _: [work()], None, grows, weight, lazy)

    async def join(
        self, work: Callable[[list[Item]], list[T]], item: Item, *, grows: bool, weight: int
    ) -> T:
        """What `work` returns for `item`, as run(). Items for the same `work` that stand one after
        the other are handed to it together, in their order."""
        return await self._run_job(work, item, grows, weight, False)

    async def _run_job(
        self,
        work: Callable[[list[Any]], list[Any]],
        item: object,
        grows: bool,
        weight: int,
        lazy: bool,
    ) -> Any:
        if self._closed:
            raise StoreError("the store is closed")
        job = _Job(work, item, grows, self._loop.create_future(), weight)
        if lazy:
            self._lazy.append(job)
            if self._timer is None:
                self._timer = self._loop.call_later(LAZY_S, self.hurry)
        else:
            if grows:
                self.hurry()
            self._jobs.put(job)
        return await job.future

    def hurry(self) -> None:
        """Let lazy jobs wait no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for job in self._lazy:
            self._jobs.put(job)
        self._lazy.clear()

    async def close(self) -> None:
        """Commit what was asked for, then close the target."""
        if not self._closed:
            self._closed = True
            self.hurry()
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            self._target.open()
        except Exception as error:
            self._loop.call_soon_threadsafe(_settle, self._opened, None, error)
            return
        self._loop.call_soon_threadsafe(_settle, self._opened, None, None)
        closing = False
        while not closing:
            batch, closing = self._collect()
            if batch:
                self._transact(batch)
                self._loop.call_soon_threadsafe(_answer, batch)
        self._target.close()

    def _collect(self) -> tuple[list[_Job], bool]:
        """The jobs of the next transaction, and whether they are the last."""
        batch: list[_Job] = []
        weight = 0
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            weight += job.weight
            if weight >= MAX_BATCH:
                return batch, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _transact(self, batch: list[_Job]) -> None:
        """One transaction for all of `batch`, or none of it; each job has its outcome or error."""
        try:
            self._target.begin()
            full = self._target.full()
            for work, alike in groupby(batch, attrgetter("work")):
                jobs = list(alike)
                if full and jobs[0].grows:
                    for job in jobs:
                        job.error = self._target.refuse()
                else:
                    outcomes = work([job.item for job in jobs])
                    for job, outcome in zip(jobs, outcomes, strict=True):
                        job.outcome = outcome
            self._target.commit()
        except Exception as error:
            self._target.rollback()
            if _is_the_disks(error):
                self._failed(batch, error)
            elif len(batch) > 1:
                for job in batch:
                    job.error = None
                    self._transact([job])
            else:
                _log.exception("a job failed; nothing of it was stored")
                batch[0].error = error
        else:
            # A tick commits nothing on a full disk, so that says nothing about the disk.
            if self._failing and any(job.grows and job.error is None for job in batch):
                self._failing = False
                _log.warning("the store takes events again")

    def _failed(self, batch: list[_Job], error: Exception) -> None:
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        if not self._failing:
            self._failing = True
            advice = "" if not _is_damage(error) else _DAMAGED
            _log.error(
                "the store cannot commit (%s); nothing is acked until it can%s", error, advice
            )
        kind = StoreFullError if full else StoreError
        for job in batch:
            job.error = kind(f"nothing was committed: {error}")


def _is_the_disks(error: Exception) -> bool:
    """Whether the same work may succeed later; a broken statement or constraint never does."""
    lasting = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, lasting)


def _is_damage(error: Exception) -> bool:
    """Whether the file is not what SQLite wrote."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _answer(batch: list[_Job]) -> None:
    for job in batch:
        _settle(job.future, job.outcome, job.error)


def _settle(future: asyncio.Future[Any], outcome: object, error: Exception | None) -> None:
    if future.done():
        return  # nobody waits any more
    if error is None:
        future.set_result(outcome)
    else:
        future.set_exception(error)
