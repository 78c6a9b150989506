"""One consumer of a stream: fetch, store, acknowledge, through every outage.

Here: the order of these, and what is done when NATS or PostgreSQL is away. Not here: fetching
(pull.py), storing (intake.py, states.py), which consumers there are (ingest.py).

A message is acknowledged when its transaction is committed, and not before: a worker that is killed
in between is given it again, and so is another, and storing it again changes nothing. While
PostgreSQL is away nothing is held: what is here goes back at once.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hall_gateway.toml_input import ConfigError

from hall_fleet.batch import Message
from hall_fleet.ingest_config import NatsConfig
from hall_fleet.link import Link, LinkError
from hall_fleet.pull import Pull
from hall_fleet.record import AwayError, Record

FIRST_S, LONGEST_S = 0.2, 10.0
"""Between tries, each time twice as long, with full jitter."""
WAIT_S = 1.0
LAST_S = 0.2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """`most` messages in a batch, and no more than `linger_s` between its first and its last."""

    stream: str
    consumer: str
    most: int
    linger_s: float


@dataclass
class Trouble:
    """What is away, why, and since when (time.monotonic); None: nothing."""

    why: str
    since: float


class Consumer:
    """`store` commits a batch or raises AwayError."""

    def __init__(
        self,
        servers: NatsConfig,
        source: Source,
        record: Record,
        store: Callable[[list[Message]], Awaitable[None]],
    ) -> None:
        self.nats: Trouble | None = Trouble("not connected yet", time.monotonic())
        self.postgres: Trouble | None = None
        self.beat = time.monotonic()
        """When it last came round."""
        self.pending: int | None = None
        """Messages that waited behind the last one."""
        self._servers = servers
        self._source = source
        self._record = record
        self._store = store
        self._failed = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: then what is here is stored and acknowledged."""
        while not stop.is_set():
            self.beat = time.monotonic()
            servers = self._servers
            try:
                # The files are read each time: they may be new ones.
                async with Link(
                    servers.servers, servers.credentials(), servers.tls(), "ingest"
                ) as link:
                    pull = Pull(link, self._source.stream, self._source.consumer, self._source.most)
                    await pull.begin()
                    self._failed = 0
                    if self.nats is not None:
                        log.info("%s: connected", self._source.stream)
                        self.nats = None
                    await self._work(link, pull, stop)
            except (LinkError, ConfigError) as error:
                self.nats = self._troubled(self.nats, "NATS", error)
                await self._pause(stop)
        await self._record.close()

    async def _work(self, link: Link, pull: Pull, stop: asyncio.Event) -> None:
        """After `stop` what was asked for is awaited still: else it would wait for a worker that is
        gone until the server knows better."""
        while True:
            self.beat = time.monotonic()
            if stopping := stop.is_set():
                pull.last()
            messages = await pull.batch(LAST_S if stopping else WAIT_S, self._source.linger_s)
            if not messages and stopping:
                break
            if messages and not await self._stored(pull, messages):
                if stop.is_set():
                    break
                await self._back(stop)
        await link.flush()

    async def _stored(self, pull: Pull, messages: list[Message]) -> bool:
        """They are committed and acknowledged; or not, and given back."""
        await pull.ask()
        self.pending = messages[-1].pending
        try:
            await self._store(messages)
        except AwayError as error:
            self.postgres = self._troubled(self.postgres, "PostgreSQL", error)
            await pull.give_back(messages)
            return False
        if self.postgres is not None:
            log.info("%s: PostgreSQL takes it again", self._source.stream)
            self.postgres = None
        self._failed = 0
        await pull.ack(messages)
        return True

    async def _back(self, stop: asyncio.Event) -> None:
        """Wait until PostgreSQL answers; that it takes something is seen with the next batch."""
        while not stop.is_set():
            self.beat = time.monotonic()
            await self._pause(stop)
            try:
                await self._record.ready()
            except AwayError as error:
                self.postgres = self._troubled(self.postgres, "PostgreSQL", error)
            else:
                return

    def _troubled(self, before: Trouble | None, who: str, error: Exception) -> Trouble:
        """Said when it begins, and when it is another trouble."""
        why = f"{who}: {error}"
        if before is None or before.why != why:
            log.warning("%s: %s; tried again", self._source.stream, why)
        return Trouble(why, time.monotonic() if before is None else before.since)

    async def _pause(self, stop: asyncio.Event) -> None:
        longest = min(LONGEST_S, FIRST_S * 2 ** min(self._failed, 10))
        self._failed += 1
        waiting = asyncio.ensure_future(stop.wait())
        await asyncio.wait((waiting,), timeout=random.uniform(longest / 4, longest))
        waiting.cancel()
