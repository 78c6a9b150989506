"""A keypad as people meet it: keys, and lamps that ask.

Here: fingers on keys, and the facts that they make by the rule (judge.py). Not here: who presses
and why (world.py).
"""

import asyncio
import math
import os
import time
from collections import deque
from typing import Any

from hall_tools.demo.judge import Judge
from hall_tools.demo.layout import RATING_WINDOW_S
from hall_tools.demo.plan import Press
from hall_tools.demo.stations import TOUCH_S, Box, Station
from hall_tools.demo.truth import Occasion
from hall_tools.errors import UserError

DEBOUNCED_MS = 100
"""After this time a key that was let go is known to be up."""

SECOND_KEY_MS = 250
"""From one key to the other of two that are down at once: so far apart that a device on a busy
machine has seen the first alone."""


class Keypad(Station):
    """A keypad. Its lamps invite: all of them blink while a rating session is open."""

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.marks: list[int] = self.config["driver"]["marks"]
        self.judge = Judge(RATING_WINDOW_S, self.marks)
        self.lamps: set[int] = set()
        self._latencies = box.latencies
        self._invitation = asyncio.Event()
        self._fingers: deque[tuple[Press, asyncio.Future[float]]] = deque()
        self._down: dict[int, asyncio.Event] = {}
        self._felt: tuple[int, float] | None = None

    async def invited(self) -> None:
        """Returns when the keypad asks for a rating, with all its lamps."""
        await self._invitation.wait()

    async def clear(self) -> None:
        """Returns when it is clear what a press, or a call, comes before and after."""
        await asyncio.sleep(self.judge.unsure_s(time.monotonic()))

    async def press(self, press: Press) -> None:
        """Presses a key, and lets it go.

        What the press is worth is settled here, by the rule, and not by what the keypad does.
        """
        await self.clear()
        await self._touch(press, DEBOUNCED_MS)
        await self._let_go(press)

    async def press_together(self, first: Press, second: Press) -> None:
        """Presses two keys, so that both are down for a while, and lets them go."""
        await self.clear()
        await self._touch(first, DEBOUNCED_MS)
        await self._touch(second, SECOND_KEY_MS)
        for each in (first, second):
            await self._let_go(each)

    async def _let_go(self, press: Press) -> None:
        async with asyncio.timeout(press.hold_ms / 1000 + TOUCH_S):
            await self._down[press.key].wait()

    async def _touch(self, press: Press, after_ms: int) -> None:
        """The keypad has had so long, in its world's time, to see the finger before."""
        contact: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._fingers.append((press, contact))
        self._down[press.key] = asyncio.Event()
        line = {"press": press.key, "ms": press.hold_ms, "bounce_ms": press.bounce_ms}
        await self.act({**line, "after_ms": after_ms})
        async with asyncio.timeout(TOUCH_S):
            await contact

    def asks(self, occasion: Occasion) -> None:
        """From now on the customer of `occasion` is asked."""
        self.judge.asks(occasion)

    def see(self, line: dict[str, Any], at: float) -> None:
        if "pressed" in line:
            self._touched(line["pressed"], at)
        elif "released" in line:
            self.judge.let_go(line["released"], at)
            self._down[line["released"]].set()
        elif str(line.get("pin", "")).startswith("lamp_"):
            lamp = int(line["pin"].removeprefix("lamp_"))
            (self.lamps.add if line["value"] else self.lamps.discard)(lamp)
            self._lit(at)
            self.changed()

    def _touched(self, key: int, at: float) -> None:
        press, contact = self._fingers.popleft()
        device = self.place.device
        if press.key != key:
            raise UserError(f"{device}: pressed key {press.key}, touched {key}", os.EX_SOFTWARE)
        verdict = self.judge.touched(key, at, math.inf)
        if verdict.reason is None:
            self.ledger.note("rating.pressed", device, key, at=at)
        else:
            for each in (key, *verdict.spoiled):
                self.ledger.note(f"rating.quarantined.{verdict.reason}", device, each, at=at)
        # A lamp that is alone already says nothing new.
        self._felt = None if self.lamps == {key} else (key, at)
        if not contact.done():
            contact.set_result(at)

    def _lit(self, at: float) -> None:
        (self._invitation.set if len(self.lamps) == len(self.marks) else self._invitation.clear)()
        if self._felt and self.lamps == {self._felt[0]}:
            self._latencies.add("press_to_lamp_ms", at - self._felt[1])
            self._felt = None
