"""The sinks of simulated halls: each hall's own connection to the back office, as its gateway has.

Here: starting and ending many of them in one process. Not here: a sink
(hall_gateway.jetstream_link), the halls (halls.py).
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from hall_gateway.config_jetstream import JetStreamConfig
from hall_gateway.health import Health
from hall_gateway.jetstream_link import JetStreamLink
from pydantic import BaseModel

from hall_tools.fleet.halls import SimulatedHall

STORMS = 50
"""Halls that connect at the same time."""


class LinkSettings(BaseModel):
    """Where the back office is; `creds`: of each hall, its .creds file."""

    servers: list[str]
    creds: dict[str, Path]
    ca_file: Path | None = None

    def of(self, hall: str, name: str, servers: Sequence[str] = ()) -> JetStreamConfig:
        """The [jetstream] table of a hall."""
        own, ways = self.creds[hall], tuple(servers or self.servers)
        return JetStreamConfig(servers=ways, creds_file=own, ca_file=self.ca_file, name=name)


class HallLinks:
    """Those of `halls`; `async with` ends them."""

    def __init__(self, settings: LinkSettings, halls: list[SimulatedHall]) -> None:
        self._settings = settings
        self._halls = halls
        self._running: dict[str, tuple[JetStreamLink, asyncio.Task[None]]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.disconnect()

    async def connect(self) -> None:
        """Begin all of them; returns when each has its connection."""
        turn = asyncio.Semaphore(STORMS)

        async def one(hall: SimulatedHall) -> None:
            async with turn:
                link = self.begin(hall)
                while not link.servers.connected:
                    self.check()
                    await asyncio.sleep(0.02)

        await asyncio.gather(*map(one, self._halls))

    def begin(self, hall: SimulatedHall, servers: Sequence[str] = ()) -> JetStreamLink:
        """Begin the sink of one hall; `servers`: its own way to them."""
        place = hall.place
        config = self._settings.of(place.hall, place.name, servers)
        link = JetStreamLink(place.plan, config, hall.core, _well, place.hall_class)
        task = asyncio.create_task(link.run(), name=place.hall)
        self._running[place.hall] = link, task
        return link

    def check(self) -> None:
        """Raises what ended a sink by itself."""
        for _, task in self._running.values():
            if task.done():
                task.result()
                raise RuntimeError(f"the sink of {task.get_name()} ended")

    async def disconnect(self) -> None:
        """End them in order: what is in flight ends, nothing else begins."""
        running, self._running = self._running, {}
        await asyncio.gather(*(link.finish() for link, _ in running.values()))
        for _, task in running.values():
            task.cancel()
        await asyncio.gather(*(task for _, task in running.values()), return_exceptions=True)


def _well() -> Health:
    return Health("ok", ())
