"""The people of the run: clerks who call, customers who press and walk, and water.

Here: what they do, whatever fails around them. Not here: what became of it (truth.py). None of it
is in the plan of faults; it goes on all the time, drawn from the same seed.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

from hall_tools.chaos.devices import Device
from hall_tools.chaos.system import HallSystem

HOLD_MS = 600
"""A finger stays on a key for so long, and a body takes WALK_MS through a door: a process that gets
no turn for half a second on a busy machine sees them all the same."""
WALK_MS = 2000
WET_S = 6.0
"""Water lies for so long at least: a sensor that looks every 0.3 s wants three of five samples."""
_WET_OHMS = 30_000

_Do: TypeAlias = Callable[[Device, random.Random], Coroutine[None, None, None]]


@dataclass
class Told:
    """What the hall system was promised: each reply that said `ok`, by event type and ticket."""

    promised: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    refused: list[str] = field(default_factory=list[str])


class People:
    """`run` goes on until cancelled by close(); everybody finishes what was begun."""

    def __init__(self, devices: list[Device], system: HallSystem, seed: int) -> None:
        self.told = Told()
        self._devices = devices
        self._system = system
        self._seed = seed
        self._tickets = count(1)
        self._closed = asyncio.Event()

    def close(self) -> None:
        """Nobody begins anything new."""
        self._closed.set()

    async def run(self, windows: list[str]) -> None:
        async with asyncio.TaskGroup() as group:
            for window in windows:
                group.create_task(self._clerk(window))
            for device in self._devices:
                deed = _DEEDS.get(device.role)
                if deed is not None:
                    group.create_task(self._keep_on(device, deed))

    async def once(self, windows: list[str]) -> None:
        """Everybody does one thing more: for a hall in which nothing fails any more."""
        async with asyncio.TaskGroup() as group:
            for window in windows:
                group.create_task(self._serve(window, random.Random(window)))
            for device in self._devices:
                deed = _DEEDS.get(device.role)
                if deed is not None:
                    group.create_task(deed(device, random.Random(device.id)))

    async def _keep_on(self, device: Device, deed: _Do) -> None:
        rng = random.Random(f"{device.id} {self._seed}")
        while not self._closed.is_set():
            await deed(device, rng)
            await self._pause(rng.uniform(0.5, 3.0))

    async def _clerk(self, window: str) -> None:
        rng = random.Random(f"clerk {window} {self._seed}")
        while not self._closed.is_set():
            await self._serve(window, rng)
            await self._pause(rng.uniform(0.5, 3.0))

    async def _serve(self, window: str, rng: random.Random) -> None:
        ticket = f"A{next(self._tickets):04d}"
        await self._order("call", ticket, "ticket.called", window=window, ticket=ticket)
        await asyncio.sleep(rng.uniform(0.3, 1.5))
        await self._order("start", ticket, "service.started", window=window)
        await asyncio.sleep(rng.uniform(0.3, 1.5))
        await self._order("end", ticket, "service.ended", window=window)

    async def _order(self, name: str, whose: str, promises: str, /, **fields: str) -> None:
        reply = await self._system.command(name, **fields)
        if reply.get("ok") is True:
            self.told.promised[f"hall.{promises}", whose] += 1
        else:
            self.told.refused.append(f"{name} {whose}: {reply.get('error')}")

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            pass


async def _press(device: Device, rng: random.Random) -> None:
    await device.press(rng.randint(1, device.keys), HOLD_MS)
    await device.over()
    await asyncio.sleep(0.3)


async def _cross(device: Device, rng: random.Random) -> None:
    await device.cross(rng.choice(("in", "out")), WALK_MS)
    await device.over()
    await asyncio.sleep(1.0)


async def _spill(device: Device, rng: random.Random) -> None:
    loop = asyncio.get_running_loop()
    deed = await device.pour(_WET_OHMS)
    await asyncio.sleep(WET_S + rng.uniform(0.0, 2.0))
    if deed is not None:
        deed.seen = loop.time()  # so long it has lain there
        deed.waited_s = 0.0  # for so long that no sensor looks away from it
    await device.dry()
    # Dry is said after 3 s, and two floods before that are one.
    await asyncio.sleep(6.0 + rng.uniform(0.0, 2.0))


_DEEDS: dict[str, _Do] = {"keypad": _press, "people_counter": _cross, "wet_floor": _spill}
