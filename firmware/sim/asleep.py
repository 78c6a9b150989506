"""A chip in deep sleep: its RTC, and the world around it.

Here: what ends the sleep. Not here: falling asleep (`board`), the start after it (`start`).
"""

import asyncio

import board
import world
from power import GPIO_WAKE, TIMER_WAKE
from report import emit

_LOOK_MS = 10


async def run(stream):
    """Until the timer or the pin wakes the chip; then this process ends.

    It says {"asleep": ms that are left}, and at last {"wake": "timer" or "pin", "charge_uc": n}:
    what has flown through water meanwhile, in microcoulombs.
    """
    lines = asyncio.create_task(world.run(stream))
    current = board.current
    power, floor = current.power, current.floor
    wake = power.sleep["wake"]
    charge = 0
    emit({"asleep": power.sleep["until"] - power.clock_ms()})
    while not lines.done():
        reason = _reason(wake)
        if reason:
            power.sleep.update(current.weather())
            by = "pin" if reason == GPIO_WAKE else "timer"
            power.wake(reason, {"wake": by, "charge_uc": charge // 1000})
        charge += floor.water_ua() * _LOOK_MS if floor else 0
        await asyncio.sleep_ms(_LOOK_MS)


def _reason(wake):
    current = board.current
    if wake and current.pads.level(wake[0]) == wake[1]:
        return GPIO_WAKE
    if current.power.clock_ms() >= current.power.sleep["until"]:
        return TIMER_WAKE
    return None
