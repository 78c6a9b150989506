"""A worker of the record as one process: what is started, and how it ends.

Here: composition and signals. Not here: the work (consumer.py, intake.py, states.py).

As many workers as wanted share two consumers; none keeps anything that another needs. SIGTERM and
SIGINT end one in order: what it has is stored and acknowledged. The service manager's watchdog is
fed while both consumers come round, also when they wait for a server that is away.
"""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.health import Health
from hall_gateway.health_api import HttpSide, routes
from hall_gateway.systemd import ServiceManager

from hall_fleet import intake, logins, states
from hall_fleet.batch import Message
from hall_fleet.consumer import Consumer, Source
from hall_fleet.holes import Holes
from hall_fleet.ingest_config import IngestConfig
from hall_fleet.ingest_figures import Figures, Metrics, health
from hall_fleet.record import AwayError, Record, RefusedError

EVENTS = Source(subjects.EVENTS_STREAM, logins.EVENTS_CONSUMER, 500, 0.05)
STATES = Source(subjects.STATES_STREAM, logins.STATES_CONSUMER, 200, 0.5)
TOLD_S = 10.0
"""How often a worker writes its row of hall.workers."""
BEAT_S = 120.0
"""A statement of PostgreSQL that hangs is cancelled after a minute."""

_WORKER = """
    INSERT INTO hall.workers AS w (worker, host, pid, started, seen, last_commit, batches, events,
        duplicates, poison, last_batch, stream_pending, error)
    VALUES (%s, %s, %s, %s, now(), to_timestamp(%s), %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (worker) DO UPDATE SET host = excluded.host, pid = excluded.pid,
        started = excluded.started, seen = excluded.seen, last_commit = excluded.last_commit,
        batches = excluded.batches, events = excluded.events, duplicates = excluded.duplicates,
        poison = excluded.poison, last_batch = excluded.last_batch,
        stream_pending = excluded.stream_pending, error = excluded.error
"""

log = logging.getLogger(__name__)


class Worker:
    """`run` is all there is to do with it. Raises ConfigError for files that cannot be used."""

    def __init__(self, config: IngestConfig) -> None:
        self.figures = Figures()
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._started = datetime.now(UTC)
        self._limits = config.figures.measured_by()
        nats, dsn = config.nats, config.postgres.dsn
        nats.credentials()  # whether the files can be used; they are read again to connect
        nats.tls()
        self._events = Record(dsn, f"{self.name} events")
        self._states = Record(dsn, f"{self.name} states")
        self._own = Record(dsn, f"{self.name} keeper")
        self._holes = Holes(nats, Record(dsn, f"{self.name} holes"), self.figures.holes)
        self.consumers = {
            "events": Consumer(nats, EVENTS, self._events, self._store_events),
            "states": Consumer(nats, STATES, self._states, self._store_states),
        }
        metrics = Metrics(self.figures, self.judged)
        self._http = config.http and HttpSide(config.http, routes(self.judged, metrics.told))
        self._manager = ServiceManager(os.environ, lambda: time.time_ns() // 1_000_000)

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Work until `stop`. `ready` is called when NATS has been reached."""
        async with asyncio.TaskGroup() as parts:
            besides = (self._keep(), self._watch(ready), self._holes.run())
            beside = [parts.create_task(each) for each in besides]
            if self._http:
                beside.append(parts.create_task(self._http.run()))
            working = [parts.create_task(each.run(stop)) for each in self.consumers.values()]
            await asyncio.gather(*working)
            self._manager.stopping()
            for task in beside:
                task.cancel()
        await self._own.close()
        await self._holes.record.close()

    def judged(self) -> Health:
        """How it is."""
        return health(self.figures, self.consumers)

    async def _store_events(self, messages: list[Message]) -> None:
        began = time.perf_counter()
        done = await intake.store(self._events, messages, datetime.now(UTC), self._limits)
        self.figures.stored(len(messages), done, time.perf_counter() - began)
        self.figures.pending = messages[-1].pending
        if done.poison:
            log.warning("events: poison: %s; see hall ingest poison list", _listed(done.poison))

    async def _store_states(self, messages: list[Message]) -> None:
        done = await states.store(self._states, messages, datetime.now(UTC))
        self.figures.states += done.pop("states")
        self.figures.poison.update(done)
        if done:
            log.warning("states: poison: %s; see hall ingest poison list", _listed(done))

    async def _keep(self) -> None:
        """Beside the batches: tell the console of this worker, and have its lists made anew."""
        while True:
            try:
                await self._own.run(_WORKER, self._row())
                await self._own.run("SELECT hall.refresh_standing()")
            except (AwayError, RefusedError) as error:
                log.warning("beside the batches: %s", error)
            await asyncio.sleep(TOLD_S)

    def _row(self) -> tuple[object, ...]:
        figures, judged = self.figures, self.judged()
        host, _, pid = self.name.rpartition(":")
        return (
            *(self.name, host, int(pid), self._started, figures.last_commit, figures.batches),
            *(figures.events, figures.duplicates, figures.poison.total(), figures.last_batch),
            *(figures.pending, judged.line[:500] if judged.reasons else None),
        )

    async def _watch(self, ready: Callable[[], None]) -> None:
        """Feed the service manager's watchdog, and say when it works."""
        told = False
        while True:
            if not told and self.consumers["events"].nats is None:
                told = True
                self._manager.ready("ok: events come into the record")
                ready()
            now = time.monotonic()
            if all(now - consumer.beat < BEAT_S for consumer in self.consumers.values()):
                self._manager.progressed(lambda: {"ingest": self.judged().told()})
                self._manager.status(self.judged().line)
            await asyncio.sleep(0.2 if not told else 1.0)


async def serve(config: IngestConfig, ready: Callable[[str], None]) -> None:
    """Run a worker until SIGTERM or SIGINT. Raises ConfigError."""
    worker, stop = Worker(config), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await worker.run(stop, lambda: ready(f"ingest: worker {worker.name} takes events"))


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
