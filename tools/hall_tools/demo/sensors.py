"""A door and floors as people meet them.

Here: bodies under a counter, water, rain and a cleaner's button at the sensors, and the facts that
they make. Not here: who walks and mops, and when (world.py, housekeeping.py).
"""

import asyncio
import time
from contextlib import suppress
from typing import Any

from hall_tools.demo.stations import START_S, TOUCH_S, Box, Station

GAP_MS = 400
"""Between two people in the doorway: the next one has not come under the sensor before it has seen
the floor."""

LINGERED_MS = 1000
"""Whoever comes right behind a lingerer may be taken for the same one (docs/counting.md)."""

BUTTON_MS = 600


class Door(Station):
    """The entrance: one lane under the sensor, so one body at a time."""

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.inside = 0
        self._lane = asyncio.Lock()
        self._gap_ms = 0  # that the next one keeps
        self._gone = asyncio.Event()

    async def cross(self, direction: str, body_ms: int) -> None:
        """Walks through, `in` or `out`, when the lane is free."""
        await self._walk({"cross": direction, "ms": body_ms}, GAP_MS)

    async def turn_back(self, body_ms: int) -> None:
        """Comes under the sensor from outside, turns round and goes: not a passage."""
        await self._walk({"turn_back": "in", "ms": 2 * body_ms}, GAP_MS)

    async def linger(self, stays_ms: int) -> None:
        """The same, but so slowly that the counter gives up: no passage either."""
        await self._walk({"turn_back": "in", "ms": stays_ms}, LINGERED_MS)

    async def _walk(self, line: dict[str, Any], gap_ms: int) -> None:
        """Returns when they have gone. The gap behind them is kept in the world's time, too."""
        async with self._lane:
            self._gone.clear()
            await self.act({**line, "after_ms": self._gap_ms})
            self._gap_ms = gap_ms
            async with asyncio.timeout(line["ms"] / 1000 + TOUCH_S):
                await self._gone.wait()

    def see(self, line: dict[str, Any], at: float) -> None:
        if "crossed" in line:
            direction = line["crossed"]
            self.inside += 1 if direction == "in" else -1
            self.ledger.note(f"count.passage.{direction}", self.place.device, at=at)
            self.changed()
        if "crossed" in line or "turned" in line:
            self._gone.set()


class Floor(Station):
    """The floor at the probe. `ohms` is the water's resistance between its electrodes."""

    DRY_OHMS = 5_000_000

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.ohms = self.DRY_OHMS
        self.wet = False
        self.raining = False
        settings = self.config["settings"]
        self._dry_after_s: float = settings["dry_after_s"]
        self._sampling_s: float = settings["of_samples"] * settings["sample_ms"] / 1000 + 0.5
        # A reading that is the one before to the last step does not count, and there are many.
        self._water_s = 2 * self._sampling_s

    async def start(self, now: float) -> None:
        """Switches the sensor on, over a dry floor; it says so once it is sure."""
        self._is_dry(now, START_S)
        if self.has_rain:
            self._rain_over(now, START_S)
        await super().start(now)

    @property
    def has_rain(self) -> bool:
        return "rain" in self.config["pins"]

    @property
    def has_button(self) -> bool:
        return "button" in self.config["pins"]

    async def set_ohms(self, ohms: int, now: float) -> None:
        """The water changes; wet and dry become true when what it measures, in parallel with the
        end resistor, crosses the profile's thresholds."""
        self.ohms = ohms
        await self._pour()
        settings = self.config["settings"]
        end_ohms = self.config["driver"]["end_ohms"]
        measured = ohms * end_ohms / (ohms + end_ohms)
        if not self.wet and measured < settings["wet_ohms"]:
            self.wet = True
            self.ledger.note("floor.wet", self.place.device, at=now, within_s=self._wet_within_s)
        elif self.wet and measured > settings["dry_ohms"]:
            self.wet = False
            self._is_dry(now, self._dry_within_s)
        self.changed()

    async def attend(self) -> None:
        """The cleaner presses the button: there is somebody."""
        self.ledger.note("floor.attended", self.place.device, at=time.monotonic())
        await self.act({"button": BUTTON_MS})

    async def rain(self, raining: bool) -> None:
        """It begins or ceases to rain on the plate outside the door."""
        now = time.monotonic()
        self.raining = raining
        await self.act({"rain": "on" if raining else "off"})
        if raining:
            self.ledger.note("rain.started", self.place.device, at=now, within_s=self._sampling_s)
        else:
            self._rain_over(now, self._sampling_s)
        self.changed()

    @property
    def _wet_within_s(self) -> float:
        return self._water_s

    @property
    def _dry_within_s(self) -> float:
        return self._water_s

    async def _pour(self) -> None:
        await self.act({"wet_ohms": self.ohms})

    def _is_dry(self, now: float, late_s: float) -> None:
        within_s = late_s + self._dry_after_s
        self.ledger.note("floor.dry", self.place.device, at=now, within_s=within_s)

    def _rain_over(self, now: float, late_s: float) -> None:
        within_s = late_s + self._dry_after_s
        self.ledger.note("rain.ended", self.place.device, at=now, within_s=within_s)


class BatteryFloor(Floor):
    """The same on battery: it sleeps, and water or the time wakes it."""

    START_S = 4.0
    """A chip that wakes is an interpreter that starts, and others have the machine too."""

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.asleep = False
        self._pouring: set[asyncio.Task[None]] = set()

    @property
    def _wet_within_s(self) -> float:
        return self.START_S + self._water_s

    @property
    def _dry_within_s(self) -> float:
        """It looks, finds the floor dry, and has to find it so again at a later look."""
        settings = self.config["settings"]
        return settings["wake_wet_s"] + settings["wake_dry_s"] + 2 * self.START_S

    async def _pour(self) -> None:
        """What is poured while the chip falls asleep or wakes reaches neither of its two lives:
        then see() pours it once more."""
        with suppress(ConnectionError):
            await super()._pour()

    def see(self, line: dict[str, Any], at: float) -> None:
        if "asleep" in line:
            task = asyncio.create_task(self._pour())
            self._pouring.add(task)
            task.add_done_callback(self._pouring.discard)
        if "asleep" in line or "wake" in line:
            self.asleep = "asleep" in line
            self.changed()
