"""A process with many simulated halls' gateways, told over stdin what to do: JSON, a line each.

Here: the commands, and the halls of this process. Not here: who gives them (gateways.py), one hall
(halls.py), its connection (links.py).

A command is {"do": name, …}; the answer to each is one line, with "error" when it failed. The end
of stdin is the end of the process.
"""

import asyncio
import json
import logging
import os
import random
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from hall_tools.fleet.halls import SimulatedHall
from hall_tools.fleet.links import HallLinks, LinkSettings
from hall_tools.fleet.places import place

Json = dict[str, Any]

AT_ONCE = 8
"""Halls whose days are made at the same time: a commit of one waits for the disk."""

_TCP_BYTES = struct.Struct("QQ")
_TCP_BYTES_AT = 120
"""In struct tcp_info (linux/tcp.h): tcpi_bytes_acked, tcpi_bytes_received."""


class Gateways:
    """The halls of this process."""

    def __init__(self, halls: list[SimulatedHall], links: HallLinks) -> None:
        self._halls = halls
        self._links = links
        self._chance = random.Random(len(halls))

    async def fill(self, events: int, days_ago: int) -> Json:
        """`events` of days that are over wait in each hall."""
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(hall: SimulatedHall) -> None:
            async with turn:
                await hall.fill(events, days_ago)

        await asyncio.gather(*map(one, self._halls))
        return {"waiting": self._waiting}

    @property
    def _waiting(self) -> int:
        return sum(hall.waiting for hall in self._halls)

    async def connect(self) -> Json:
        """Every sink begins, now, and tells nothing before release(); answered when all are
        connected."""
        for hall in self._halls:
            hall.clock.go()
            await hall.hold()
        began = time.monotonic()
        await self._links.connect()
        return {"seconds": time.monotonic() - began}

    async def release(self) -> Json:
        """Every sink tells what it has."""
        for hall in self._halls:
            await hall.release()
        return {}

    async def drain(self) -> Json:
        """Answered when no hall has anything left for its sink."""
        began = time.monotonic()
        while self._waiting:
            self._links.check()
            await asyncio.sleep(0.02)
        return {"seconds": time.monotonic() - began}

    async def disconnect(self) -> Json:
        await self._links.disconnect()
        return {}

    async def live(self, rate: float, seconds: float) -> Json:
        """Customers come in, `rate` a second in all these halls together, each at a moment by
        chance within its turn and in a hall by chance."""
        for hall in self._halls:
            await hall.in_order()
        count = round(rate * seconds)
        began = time.monotonic()
        late = 0.0
        coming: set[asyncio.Task[None]] = set()
        for number in range(count):
            due = began + (number + self._chance.random()) / rate
            wait = due - time.monotonic()
            late = max(late, -wait)
            await asyncio.sleep(max(wait, 0))
            task = asyncio.create_task(self._chance.choice(self._halls).passage())
            coming.add(task)
            task.add_done_callback(coming.discard)
        await asyncio.gather(*coming)
        return {"sent": count, "late_s": late}

    async def acked(self) -> Json:
        """What each hall's gateway has acked to two of its devices."""
        return {"acked": {hall.place.hall: hall.acked() for hall in self._halls}}

    async def wire(self, ports: list[int]) -> Json:
        """Bytes that TCP has carried to and from `ports` on the connections that are open."""
        out, back = _carried(set(ports))
        return {"out": out, "back": back}


def _carried(ports: set[int]) -> tuple[int, int]:
    out = back = 0
    for entry in os.listdir("/proc/self/fd"):
        try:
            with socket.socket(fileno=os.dup(int(entry))) as found:
                if found.family == socket.AF_INET and found.getpeername()[1] in ports:
                    info = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
                    acked, received = _TCP_BYTES.unpack_from(info, _TCP_BYTES_AT)
                    out, back = out + acked, back + received
        except OSError:
            continue  # no socket, or one that is not connected
    return out, back


async def run(spec: Json) -> None:
    """Until stdin ends."""
    folder = Path(spec["folder"])
    settings = LinkSettings.model_validate(spec["links"])
    async with AsyncExitStack() as stack:
        halls = [
            await stack.enter_async_context(
                SimulatedHall(place(number), folder, spec["seed"] * 100_003 + number, spec["run"])
            )
            for number in spec["halls"]
        ]
        links = await stack.enter_async_context(HallLinks(settings, halls))
        gateways = Gateways(halls, links)
        _say({"ready": len(halls)})
        commands: dict[str, Callable[..., Awaitable[Json]]] = {
            each.__name__: each
            for each in (
                gateways.fill,
                gateways.connect,
                gateways.release,
                gateways.drain,
                gateways.disconnect,
                gateways.live,
                gateways.acked,
                gateways.wire,
            )
        }
        while line := await asyncio.to_thread(sys.stdin.readline):
            wanted = json.loads(line)
            try:
                _say(await commands[wanted.pop("do")](**wanted))
            except Exception as error:
                logging.exception("a command failed")
                _say({"error": f"{type(error).__name__}: {error}"})


def _say(answer: Json) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    # Occupancy that does not add up is what halls are like; it is no news of the bench.
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(run(json.loads(sys.stdin.readline())))
