"""Every task of the device under one roof: guarded, counted, restarted, and watched.

Here: what happens when a task fails or stops making progress. Not here: what a task does, and how
the chip is reset (both are handed in).

The watchdog is fed only while every task has made progress within its own time, so that a task that
hangs is as deadly as a loop that hangs. The difference is that the first leaves a note why.
"""

import asyncio
import sys

from micropython import const

_FEED_MS = const(1000)
_BACKOFF_MS = const(1000)
_BACKOFF_LAST_MS = const(60_000)
# A task that lived so long after a restart is counted as healthy again.
_STABLE_MS = const(60_000)


class _Task:
    def __init__(self, name, run, patience_ms, failures_allowed):
        self.name = name
        self.run = run
        self.patience_ms = patience_ms
        self.failures_allowed = failures_allowed
        self.failures = 0


class Supervisor:
    """`watchdog.feed()`; `uptime()` -> ms; `report(text)` keeps an error; `reset(why)` resets.

    `failed_at`: uptime when a task last failed, 0 when none has."""

    failed_at = 0

    def __init__(self, watchdog, uptime, report, reset):
        self._watchdog = watchdog
        self._uptime = uptime
        self._report = report
        self._reset = reset
        self._tasks = []
        self._stopping = False
        self._seen = {}  # name of a task -> uptime of its last check-in

    def add(self, name, run, patience_ms, failures_allowed):
        """A task that is to run for ever: the coroutine `run()`, started again when it ends.

        The chip is reset when the task does not check in for `patience_ms`, and when it fails more
        than `failures_allowed` times in close succession.
        """
        self._tasks.append(_Task(name, run, patience_ms, failures_allowed))

    def check_in(self, name):
        """The task of that name is making progress."""
        self._seen[name] = self._uptime()

    def stop(self):
        """Let run() end every task and return."""
        self._stopping = True

    async def run(self):
        """Starts every task and watches over them, until stop() or cancelled; they end with it."""
        for task in self._tasks:
            self.check_in(task.name)
        running = [asyncio.create_task(self._guard(task)) for task in self._tasks]
        try:
            while not self._stopping:
                self._watch()
                await asyncio.sleep_ms(_FEED_MS)
        finally:
            for each in running:
                each.cancel()
        for each in running:
            try:
                await each  # closes what it holds
            except asyncio.CancelledError:
                pass

    def _watch(self):
        now = self._uptime()
        for task in self._tasks:
            silent = now - self._seen[task.name]
            if silent > task.patience_ms:
                self._reset("%s: no progress in %d ms" % (task.name, silent))
                return
        self._watchdog.feed()

    async def _guard(self, task):
        backoff = _BACKOFF_MS
        while not self._stopping:
            began = self._uptime()
            try:
                await task.run()
                text = "returned"
            except Exception as error:
                sys.print_exception(error)
                text = "%s: %s" % (type(error).__name__, error)
            self.failed_at = self._uptime()
            if self.failed_at - began > _STABLE_MS:
                task.failures = 0
                backoff = _BACKOFF_MS
            task.failures += 1
            text = "%s: %s" % (task.name, text)
            self._report(text)
            if task.failures > task.failures_allowed:
                self._reset(text)
            # Waiting to be started again is progress too.
            again = self._uptime() + backoff
            while self._uptime() < again and not self._stopping:
                self.check_in(task.name)
                await asyncio.sleep_ms(_FEED_MS)
            backoff = min(2 * backoff, _BACKOFF_LAST_MS)
