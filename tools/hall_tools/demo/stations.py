"""The simulated devices as people meet them: what they have in common, and a picture to read.

Here: what a person can do to a device and see of it, and the facts that this makes. Not here: keys
(keypads.py), a door and floors (sensors.py), who does it and when (world.py), and how a picture is
read (eyes.py).
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hall_tools.demo.eyes import Eyes, Picture, ticket_in
from hall_tools.demo.latency import Latencies
from hall_tools.demo.layout import Place
from hall_tools.demo.truth import Ledger
from hall_tools.errors import UserError
from hall_tools.sim import SimDevice

START_S = 60.0
"""A device that was switched on says so, and is online, within this time; on a machine of its own
that takes seconds."""

TOUCH_S = 5.0
"""The simulated world answers a line within this time, or the demo gives up."""


@dataclass(frozen=True)
class Box:
    """A device as it is unpacked: its place, what it boots from, and `folder` for its flash.

    `keys`: of its ident partition, when it has any. `ledger` and `latencies` are the hall's.
    """

    place: Place
    config: dict[str, Any]
    keys: dict[str, Any]
    folder: Path
    ledger: Ledger
    latencies: Latencies


class Station:
    """One device in its place. `changed` is called when there is something new to see."""

    def __init__(self, box: Box) -> None:
        ident: dict[str, Any] = {
            "device": box.place.device,
            "psk": None,
            "wifi": [["hall", "simulated"]],
            **box.keys,
        }
        self.place = box.place
        self.config = box.config
        self.ledger = box.ledger
        self.changed: Callable[[], None] = lambda: None
        self.log: deque[str] = deque(maxlen=50)
        self._stopping = False
        self._sim = SimDevice(box.config, ident, box.folder)

    async def start(self, now: float) -> None:
        """Switches the device on at `now`."""
        self.ledger.note("device.started", self.place.device, at=now, within_s=START_S)
        self.ledger.note("device.online", self.place.device, at=now, within_s=START_S)
        await self._sim.start()

    async def watch(self) -> None:
        """Sees everything the device does, until it is stopped."""
        async for line in self._sim.lines():
            if "log" in line:
                self.log.append(line["log"])
            elif "off" in line:
                if self._stopping:
                    return
                last = self.log[-1] if self.log else "it said nothing"
                raise UserError(f"{self.place.device} stopped by itself: {last}", os.EX_SOFTWARE)
            elif "error" in line or "misuse" in line:
                wrong = line.get("error") or line["misuse"]
                raise UserError(f"{self.place.device}: {wrong}", os.EX_SOFTWARE)
            else:
                self.see(line, line["t_us"] / 1e6)

    async def stop(self) -> None:
        self._stopping = True
        await self._sim.stop()

    def see(self, line: dict[str, Any], at: float) -> None:
        """One line of the simulated world, at monotonic time `at` in s."""

    async def act(self, line: dict[str, Any]) -> None:
        await self._sim.send(line)


class Display(Station):
    """A call display, read with the eyes of the customers in front of it."""

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.picture: Picture | None = None
        self._eyes = Eyes()
        self._latencies = box.latencies
        self.complaints: list[str] = []
        self._ticket: str | None = None  # the one in the picture
        self._called: deque[str] = deque(maxlen=2)  # the old number stands until the new one comes
        self._looking: tuple[str, asyncio.Future[float]] | None = None

    @asynccontextmanager
    async def shows(self, ticket: str, within_s: float) -> AsyncGenerator[None]:
        """Inside, order the display to show `ticket`; outside, its customer has seen it.

        Raises TimeoutError when it has not appeared `within_s` after the order.
        """
        sighting: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        since = time.monotonic()
        stood_there = self._ticket == ticket
        self._looking = ticket, sighting
        self._called.append(ticket)
        try:
            yield
            async with asyncio.timeout(within_s):
                at = await sighting
        finally:
            self._looking = None
        self.ledger.note("call.shown", self.place.device, ticket, at=at, since=since)
        if not stood_there:  # else it is seen as new only when it has blinked
            self._latencies.add("call_to_display_ms", at - since)

    def see(self, line: dict[str, Any], at: float) -> None:
        if "panel" not in line:
            return
        self.picture = Picture.of_panel(line["panel"])
        self._ticket = ticket_in(self._eyes.read(self.picture))
        if self._looking and self._looking[0] == self._ticket and not self._looking[1].done():
            self._looking[1].set_result(at)
        if self._ticket and self._ticket not in self._called:
            self.complaints.append(f"{self.place.device} shows {self._ticket}, which nobody called")
        self.changed()
