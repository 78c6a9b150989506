"""Water in the hall: a cleaner who mops, and the rain outside.

Here: what they do, in the order of the plan. Not here: what they will do (plan.py), and what
becomes true by it (sensors.py).
"""

import time
from collections.abc import Iterator

from hall_tools.demo.opening_hours import OpeningHours
from hall_tools.demo.plan import Mopping, Shower, moppings, showers
from hall_tools.demo.sensors import BatteryFloor, Floor

DRYING_STEPS = 8

FIRST_S = 4.0
"""The entrance is mopped first, so that a short run shows it too."""

NEXT_S = 11.0
"""The washroom later: its sensor stays awake for 10 s after it was switched on."""


class Housekeeping:
    """All floors; it rains at those that have a plate outside."""

    def __init__(self, floors: list[Floor], hours: OpeningHours) -> None:
        self._floors = floors
        self._hours = hours

    def begin(self, seed: int) -> None:
        for floor in self._floors:
            first_s = NEXT_S if isinstance(floor, BatteryFloor) else FIRST_S
            self._hours.begin(self._mop(floor, moppings(seed, floor.place.device, first_s)))
            if floor.has_rain:
                self._hours.begin(self._rain(floor, showers(seed)))

    async def _mop(self, floor: Floor, moppings: Iterator[Mopping]) -> None:
        for mopping in moppings:
            await self._hours.pause(mopping.after_s)
            await floor.set_ohms(mopping.ohms, time.monotonic())
            half_s = mopping.stays_s / 2
            await self._hours.pause(half_s)
            if mopping.attended and floor.has_button:
                await floor.attend()
            await self._hours.pause(half_s)
            for ohms in _drying(mopping.ohms):
                await self._hours.pause(mopping.dries_s / DRYING_STEPS)
                await floor.set_ohms(ohms, time.monotonic())

    async def _rain(self, floor: Floor, showers: Iterator[Shower]) -> None:
        for shower in showers:
            await self._hours.pause(shower.after_s)
            await floor.rain(True)
            await self._hours.pause(shower.lasts_s)
            await floor.rain(False)


def _drying(ohms: int) -> Iterator[int]:
    """The resistance while the water goes: the same factor at every step."""
    factor = (Floor.DRY_OHMS / ohms) ** (1 / DRYING_STEPS)
    for step in range(1, DRYING_STEPS + 1):
        yield round(ohms * factor**step)
