"""One device of the run: what people do to it, when it was dead, and what is on its flash chip.

Here: deeds, deaths and records of one device. Not here: who does what (people.py), which fault
comes (faults.py), and what follows from all of it (truth.py).
"""

import asyncio
import time
from collections import Counter, deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from hall_tools.chaos import flash_records
from hall_tools.chaos.flash_records import Record
from hall_tools.chaos.places import Place, device_config
from hall_tools.chaos.proxy import Link
from hall_tools.chaos.truth import Deed, Life
from hall_tools.sim import FLASH, SimDevice

_LOG_KEPT = 200
_OPEN = 20
_ANSWER_S = 10.0
"""A deed that was not answered by then was done to a process that has ended."""

ARMED = "0"
"""Of SimDevice.cut: the world may say when power is cut within the flash chip's work."""


class Device:
    """`changed` is set whenever it has said something."""

    def __init__(self, place: Place, folder: Path, link: Link) -> None:
        self.place = place
        self.link = link
        self.config = device_config(place, link.port)
        self.deeds: list[Deed] = []
        self.life = Life()
        self.records: dict[tuple[int, int], Record] = {}
        self.problems: list[str] = []
        """What no fault explains."""
        self.cuts: list[dict[str, Any]] = []
        """Power cuts within an operation of the flash, as the chip told them."""
        self.log: deque[str] = deque(maxlen=_LOG_KEPT)
        self.resets: Counter[str] = Counter()
        """Those that it made itself, by what the chip calls them."""
        self.changed = asyncio.Event()
        self._over = asyncio.Event()
        self._excepting = False
        self._flash = folder / FLASH
        ident = {"device": place.device, "psk": None, "wifi": [["hall", "simulated"]]}
        self.sim = SimDevice(self.config, ident, folder)
        self.sim.cut = ARMED

    @property
    def id(self) -> str:
        return self.place.device

    @property
    def role(self) -> str:
        return str(self.config["role"])

    @property
    def keys(self) -> int:
        return len(self.config["driver"]["marks"])

    async def listen(self) -> None:
        """Hears everything that the device does, until it is stopped."""
        async for line in self.sim.lines():
            self._hear(line)
            self.changed.set()

    def _hear(self, line: dict[str, Any]) -> None:
        at = line["t_us"] / 1e6 if "t_us" in line else time.monotonic()
        if "log" in line:
            self._read(line["log"])
            # The last word before its tasks begin (firmware/hall/app.py).
            if "] heap: " in line["log"]:
                self.life.began(at)
        elif "cut" in line:
            self.cuts.append(line)
        elif "off" in line or "reset" in line or "hangs" in line:
            self._ended_at(at)
            if "reset" in line:
                self._reset(line["reset"])
        elif "pressed" in line:
            self._seen("press", line["pressed"], at)
        elif "released" in line:
            self._over.set()
        elif "crossed" in line:
            self._seen("cross", line["crossed"], at)
            self._over.set()
        elif "error" in line or "misuse" in line:
            self.problems.append(f"{self.id}: {line.get('error') or line['misuse']}")

    def _read(self, text: str) -> None:
        self.log.append(text)
        # What an exception says is on the last of its lines.
        if self._excepting and not text.startswith(" "):
            self.problems.append(f"{self.id}: {text}")
        self._excepting = text.startswith("Traceback") or (self._excepting and text.startswith(" "))

    def _reset(self, how: str) -> None:
        """A watchdog bites who hangs, which is a fault of the plan; for a reset that the firmware
        itself decides on there is none."""
        self.resets[how] += 1
        if how != "watchdog":
            said = [text for text in self.log if "reset: " in text]
            self.problems.append(f"{self.id}: {how} reset; {said[-1:]}")

    def _seen(self, kind: str, what: str | int, at: float) -> None:
        for deed in self.deeds[-_OPEN:]:
            waits = deed.seen is None and 0 <= at - deed.begun < _ANSWER_S
            if waits and (deed.kind, deed.what) == (kind, what):
                deed.seen = at
                deed.waited_s = self._waited_s() - deed.waited_s
                return

    async def press(self, key: int, hold_ms: int) -> None:
        """A finger on a key, for longer than a busy machine leaves a process without a turn."""
        await self._act({"press": key, "ms": hold_ms, "bounce_ms": 4}, Deed("press", key))

    async def cross(self, direction: str, walk_ms: int) -> None:
        """Somebody walks through, slowly for the same reason."""
        await self._act({"cross": direction, "ms": walk_ms}, Deed("cross", direction))

    async def pour(self, ohms: int) -> Deed | None:
        """Water on the floor; it counts as seen when it has lain there for long enough, which the
        caller says."""
        deed = Deed("wet", "")
        return deed if await self._act({"wet_ohms": ohms}, deed) else None

    async def dry(self) -> None:
        await self.tell({"wet_ohms": 5_000_000})

    async def _act(self, line: dict[str, Any], deed: Deed) -> bool:
        """Whether the device was there to have it done to it. What was said to a process that is
        just ending may have been heard or not, so it is a deed that nobody saw."""
        if self.sim.pid is None:
            return False
        deed.begun = time.monotonic()
        deed.waited_s = self._waited_s()
        self.deeds.append(deed)
        self._over.clear()
        return await self.tell(line)

    async def over(self) -> None:
        """When the last press or walk has ended, or its device has. What is done to a device that
        starts begins when it runs, and whoever came next meanwhile would walk into it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                await self._over.wait()

    async def tell(self, line: dict[str, Any]) -> bool:
        """A line for the simulated world; False when the device is off."""
        try:
            await self.sim.send(line)
        except ConnectionError:
            return False
        return True

    def _waited_s(self) -> float:
        """For so long its process has waited for a processor so far (proc(5), schedstat)."""
        try:
            told = Path(f"/proc/{self.sim.pid}/schedstat").read_text().split()
        except OSError:
            return 0.0
        return int(told[1]) / 1e9

    def ended(self) -> None:
        """Somebody ends it at this moment."""
        self._ended_at(time.monotonic())

    def _ended_at(self, at: float) -> None:
        self.life.ended(at)
        self._over.set()

    def history(self) -> list[str]:
        """What was done to it, its lives and its records, one a line, for whoever looks for what
        went wrong."""
        deeds = [
            f"{deed.begun:.3f} {deed.kind} {deed.what} seen {deed.seen} waited {deed.waited_s:.3f}"
            for deed in self.deeds
        ]
        records = [str(record) for record in self.records.values()]
        return [*deeds, *self.life.told(), *records, *self.log]

    def scan(self) -> None:
        """Reads the journal on the flash: what is there was appended whole. The ring is overwritten
        by and by, so this has to be done often enough: 900 events are far."""
        for record in flash_records.read(self._flash):
            known = self.records.setdefault((record.epoch, record.seq), record)
            if known != record:
                self.problems.append(f"{self.id}: one identity twice: {known} and {record}")

    def told(self, *kinds: str) -> list[Record]:
        """The records of these kinds, in order of boot and number."""
        found = [record for record in self.records.values() if record.kind in kinds]
        first = list(dict.fromkeys(record.epoch for record in self.records.values()))
        return sorted(found, key=lambda record: (first.index(record.epoch), record.seq))
