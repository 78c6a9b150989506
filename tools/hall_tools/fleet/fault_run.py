"""Halls that go on telling what happens while their back office fails, and whether all of it came.

Here: halls in this process, each with its own way to the NATS servers that can be cut, their days
in a hurry, and the end: everything heals and is delivered, and the record is held against what the
stores promised. Not here: what fails (faults.py).
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any, Self

from hall_tools.chaos.proxy import Link
from hall_tools.errors import UserError
from hall_tools.fleet import truth
from hall_tools.fleet.faults import Faults
from hall_tools.fleet.halls import SimulatedHall, new_run, promised
from hall_tools.fleet.links import HallLinks, LinkSettings
from hall_tools.fleet.nats_server import NatsNode
from hall_tools.fleet.places import place
from hall_tools.fleet.stage import Stage

STALLED_S = 150.0
"""What a killed worker had comes again after half a minute; a hall that does not answer is asked
once more after a minute for what the servers lost."""
DAYS_AGO = 600
"""When the halls' days begin: a minute of the run is about two weeks."""
_PAUSE_S = 0.05
"""After a quarter of an hour in which a hall is open."""


@dataclass(frozen=True)
class _Port:
    node: NatsNode

    @property
    def port(self) -> int:
        return self.node.ports.client


class Way:
    """From one hall to each of the NATS servers; `async with` ends it."""

    def __init__(self, hall: str, stage: Stage) -> None:
        nodes = stage.cluster.nodes
        self._links = [Link(f"{hall} to {node.name}", _Port(node), mqtt=False) for node in nodes]

    async def __aenter__(self) -> Self:
        for link in self._links:
            await link.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for link in self._links:
            await link.close()

    @property
    def servers(self) -> list[str]:
        return [f"nats://127.0.0.1:{link.port}" for link in self._links]

    def hold(self) -> None:
        """Nothing passes any more, and nobody is told."""
        for link in self._links:
            link.hold()

    def reset(self) -> None:
        """Every connection ends."""
        for link in self._links:
            link.reset()

    def resume(self) -> None:
        """Everything passes."""
        for link in self._links:
            link.resume()


@dataclass(frozen=True)
class Outcome:
    """What was done to so many halls and their back office, and the account at the end; `again`:
    NATS servers that had to be started once more, as they did not get whole alone; `told_again`:
    events that came when halls were asked for what the servers had lost; `healed_s`: from the last
    fault until all was delivered."""

    seed: int
    halls: int
    done: dict[str, int]
    again: int
    told_again: int
    healed_s: float
    account: truth.Account

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class FaultRun:
    """The halls `numbers` of `stage`, at work inside `async with`."""

    def __init__(self, stage: Stage, numbers: range, seed: int) -> None:
        self.stage = stage
        self._seed = seed
        self._numbers = numbers
        self._exit = AsyncExitStack()
        self.halls: list[SimulatedHall] = []
        self._flow: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        folder = self.stage.folder / f"halls-{self._seed}"
        folder.mkdir()
        try:
            await self._open(SimulatedHall(place(n), folder, n, new_run()) for n in self._numbers)
        except BaseException:
            await self._exit.aclose()
            raise
        self._flow = asyncio.create_task(self._flowing())
        return self

    async def _open(self, halls: Iterable[SimulatedHall]) -> None:
        self.halls = [await self._exit.enter_async_context(hall) for hall in halls]
        settings = LinkSettings.model_validate(self.stage.links)
        self._ways = [
            await self._exit.enter_async_context(Way(hall.place.hall, self.stage))
            for hall in self.halls
        ]
        self._links = await self._exit.enter_async_context(HallLinks(settings, self.halls))
        for hall, way in zip(self.halls, self._ways, strict=True):
            await hall.begin(DAYS_AGO)
            self._links.begin(hall, way.servers)

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        if self._flow is not None:
            await asyncio.gather(self._flow, return_exceptions=True)
        await self._exit.aclose()

    async def _flowing(self) -> None:
        await asyncio.gather(*map(self._live, self.halls))

    async def _live(self, hall: SimulatedHall) -> None:
        while not self._stop.is_set():
            await hall.quarter()
            if hall.open:
                await asyncio.sleep(_PAUSE_S)

    def faults(self) -> Faults:
        """What can be done to all this, drawn from the seed."""
        return Faults(self.stage, self._ways, random.Random(self._seed))

    async def delivered(self, done: Counter[str], again: int = 0) -> Outcome:
        """Nothing more happens in the halls; what the record is when it has had its time. UserError
        when a part ended by itself, or a hall does not get rid of its events."""
        began = time.monotonic()
        self._stop.set()
        assert self._flow is not None
        await self._flow
        await self._until_told()
        promises = {hall.place.hall: promised(hall.path) for hall in self.halls}
        for hall in self.halls:
            missing = set(hall.acked()) - promises[hall.place.hall].keys()
            if missing:
                raise UserError(f"{hall.place.hall}: {len(missing)} acked events are not stored")
        account = await self._account(promises)
        healed = time.monotonic() - began
        query = (
            f"SELECT coalesce(sum(again), 0) FROM hall.stores WHERE hall IN ({_names(promises)})"
        )
        (told_again,) = await self.stage.value(query)
        return Outcome(
            *(self._seed, len(self.halls), dict(done), again, int(told_again), healed, account)
        )

    async def _until_told(self) -> None:
        waiting, since = -1, time.monotonic()
        while now := sum(hall.waiting for hall in self.halls):
            self._links.check()
            if now != waiting:
                waiting, since = now, time.monotonic()
            elif time.monotonic() - since > STALLED_S:
                raise UserError(f"{waiting} events still wait in the halls")
            await asyncio.sleep(0.05)

    async def _account(self, promises: Mapping[str, Mapping[str, bytes]]) -> truth.Account:
        """The comparison, when the table has as many rows as were promised, or no more come."""
        wanted = sum(map(len, promises.values()))
        query = f"SELECT count(*) FROM hall.events WHERE hall IN ({_names(promises)})"
        stored, since = -1, time.monotonic()
        while stored < wanted and time.monotonic() - since < STALLED_S:
            self.stage.check()
            (now,) = await self.stage.value(query)
            if now != stored:
                stored, since = now, time.monotonic()
            await asyncio.sleep(0.05)
        dsn = self.stage.postgres.dsn("hall_console")
        return await asyncio.to_thread(truth.check, dsn, promises, alone=False)


def _names(halls: Iterable[str]) -> str:
    """For SQL."""
    return ", ".join(f"'{hall}'" for hall in halls)
