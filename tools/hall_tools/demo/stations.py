"""The simulated devices as people meet them: a picture to read, keys to press, a door, a floor.

Here: what a person can do to a device and see of it, and the facts that this makes. Not here: who
does it and when (world.py), and how a picture is read (eyes.py).
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hall_profiles import load

from hall_tools.demo.eyes import Eyes, Picture, ticket_in
from hall_tools.demo.latency import Latencies
from hall_tools.demo.layout import Place, device_config
from hall_tools.demo.plan import Press
from hall_tools.demo.truth import Ledger, Occasion
from hall_tools.errors import UserError
from hall_tools.sim import SimDevice

START_S = 10.0
"""A device that was switched on says so, and is online, within this time."""

GAP_S = 0.1
"""Between two people in the doorway: less than a step, but both beams are free."""

TOUCH_S = 5.0
"""The simulated world answers a line within this time, or the demo gives up."""


class Station:
    """One device in its place. `changed` is called when there is something new to see."""

    def __init__(self, place: Place, port: int, folder: Path, ledger: Ledger) -> None:
        ident: dict[str, Any] = {
            "device": place.device,
            "psk": None,
            "wifi": [["hall", "simulated"]],
        }
        self.place = place
        self.config = device_config(place, port)
        self.ledger = ledger
        self.changed: Callable[[], None] = lambda: None
        self.log: deque[str] = deque(maxlen=50)
        self._stopping = False
        self._sim = SimDevice(self.config, ident, folder)

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
            elif "error" in line:
                raise UserError(f"{self.place.device}: {line['error']}", os.EX_SOFTWARE)
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

    def __init__(
        self, place: Place, port: int, folder: Path, ledger: Ledger, latencies: Latencies
    ) -> None:
        super().__init__(place, port, folder, ledger)
        self.picture: Picture | None = None
        self._eyes = Eyes()
        self._latencies = latencies
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


class Keypad(Station):
    """A keypad. Its lamps invite: all of them blink while a rating session is open."""

    def __init__(
        self, place: Place, port: int, folder: Path, ledger: Ledger, latencies: Latencies
    ) -> None:
        super().__init__(place, port, folder, ledger)
        driver = self.config["driver"]
        self.marks: list[int] = driver["marks"]
        self.lamps: set[int] = set()
        self._latencies = latencies
        self._invitation = asyncio.Event()
        self._fingers: deque[tuple[Press, Occasion | None, asyncio.Future[float]]] = deque()
        self._felt: tuple[int, float] | None = None

    async def invited(self) -> None:
        """Returns when the keypad asks for a rating, with all its lamps."""
        await self._invitation.wait()

    async def press(self, press: Press, occasion: Occasion | None) -> float:
        """Presses a key, as the customer of `occasion` or as nobody's. Returns the contact's time.

        What the press is worth is settled here, by the rule, and not by what the keypad does.
        """
        contact: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._fingers.append((press, occasion, contact))
        line = {"press": press.key, "ms": press.hold_ms, "bounce_ms": press.bounce_ms}
        await self.act(line)
        async with asyncio.timeout(TOUCH_S):
            return await contact

    def see(self, line: dict[str, Any], at: float) -> None:
        if "pressed" in line:
            self._touched(line["pressed"], at)
        elif str(line.get("pin", "")).startswith("lamp_"):
            lamp = int(line["pin"].removeprefix("lamp_"))
            (self.lamps.add if line["value"] else self.lamps.discard)(lamp)
            self._lit(at)
            self.changed()

    def _touched(self, key: int, at: float) -> None:
        press, occasion, contact = self._fingers.popleft()
        if press.key != key:
            raise UserError(
                f"{self.place.device}: pressed key {press.key}, touched {key}", os.EX_SOFTWARE
            )
        if occasion and occasion.counts(at):
            occasion.presses.append((at, self.marks[key - 1]))
            self.ledger.note("rating.pressed", self.place.device, key, at=at)
        else:
            self.ledger.note("rating.quarantined", self.place.device, key, at=at)
        self._felt = (key, at)
        contact.set_result(at)

    def _lit(self, at: float) -> None:
        (self._invitation.set if len(self.lamps) == len(self.marks) else self._invitation.clear)()
        if self._felt and self.lamps == {self._felt[0]}:
            self._latencies.add("press_to_lamp_ms", at - self._felt[1])
            self._felt = None


class Door(Station):
    """The entrance: one lane, so one body at a time between the two beams."""

    def __init__(self, place: Place, port: int, folder: Path, ledger: Ledger) -> None:
        super().__init__(place, port, folder, ledger)
        self.inside = 0
        self._lane = asyncio.Lock()
        self._through = asyncio.Event()

    async def cross(self, direction: str, body_ms: int) -> None:
        """Walks through, `in` or `out`, when the lane is free."""
        async with self._lane:
            self._through.clear()
            await self.act({"cross": direction, "ms": body_ms})
            async with asyncio.timeout(TOUCH_S):
                await self._through.wait()
            await asyncio.sleep(GAP_S)

    async def turn_back(self, body_ms: int) -> None:
        """Comes into the doorway from outside, turns round and goes: not a passage."""
        async with self._lane:
            await self.act({"turn_back": "in", "ms": body_ms})
            await asyncio.sleep(body_ms / 1000 + GAP_S)

    def see(self, line: dict[str, Any], at: float) -> None:
        if "crossed" in line:
            direction = line["crossed"]
            self.inside += 1 if direction == "in" else -1
            self.ledger.note(f"count.passage.{direction}", self.place.device, at=at)
            self._through.set()
            self.changed()


class Floor(Station):
    """The floor at the probe. `ohms` is the water's resistance between its electrodes."""

    DRY_OHMS = 5_000_000

    def __init__(self, place: Place, port: int, folder: Path, ledger: Ledger) -> None:
        super().__init__(place, port, folder, ledger)
        self.ohms = self.DRY_OHMS
        self.wet = False

    async def start(self, now: float) -> None:
        """Switches the sensor on, over a dry floor; it says so once it is sure."""
        self._is_dry(now, START_S)
        await super().start(now)

    async def set_ohms(self, ohms: int, now: float) -> None:
        """The water changes; wet and dry become true when what it measures, in parallel with the
        end resistor, crosses the profile's thresholds."""
        await self.act({"wet_ohms": ohms})
        self.ohms = ohms
        settings = self.config["settings"]
        end_ohms = self.config["driver"]["end_ohms"]
        measured = ohms * end_ohms / (ohms + end_ohms)
        sampling_s = settings["of_samples"] * settings["sample_ms"] / 1000 + 0.5
        if not self.wet and measured < settings["wet_ohms"]:
            self.wet = True
            self.ledger.note("floor.wet", self.place.device, at=now, within_s=sampling_s)
        elif self.wet and measured > settings["dry_ohms"]:
            self.wet = False
            self._is_dry(now, sampling_s)
        self.changed()

    def _is_dry(self, now: float, late_s: float) -> None:
        within_s = late_s + self.config["settings"]["dry_after_s"]
        self.ledger.note("floor.dry", self.place.device, at=now, within_s=within_s)


def make_station(
    place: Place, port: int, folder: Path, ledger: Ledger, latencies: Latencies
) -> Station:
    """The station that fits the device's role."""
    role = load(place.profile).role
    if role == "call_display":
        return Display(place, port, folder, ledger, latencies)
    if role == "keypad":
        return Keypad(place, port, folder, ledger, latencies)
    if role == "people_counter":
        return Door(place, port, folder, ledger)
    return Floor(place, port, folder, ledger)
