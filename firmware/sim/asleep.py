"""A chip in deep sleep: its RTC, and the world around it.

{"wake": "timer"}: the time it sleeps for is over, and its clock with it.

Here: what ends the sleep. Not here: falling asleep (`sleeping`), the start after it (`start`).
"""

import asyncio

import board
import world
from power import DEEPSLEEP_RESET, GPIO_WAKE, TIMER_WAKE
from report import emit
from sleeping import clock_ms, keep_weather

_LOOK_MS = 10


async def run(stream, sleep):
    """Until the timer or the pin wakes the chip; then this process ends. `sleep`: how it fell
    asleep (sleeping.sleep).

    It says {"asleep": ms that are left}, and at last {"wake": "timer" or "pin", "charge_uc": n}:
    what has flown through water meanwhile, in microcoulombs.
    """
    current = board.current
    current.deeds["wake"] = _wake
    lines = asyncio.create_task(world.run(stream))
    floor, rtc = current.floor, current.power.rtc
    rtc["sleep"] = sleep
    charge = 0
    emit({"asleep": sleep["until"] - clock_ms()})
    while not lines.done():
        reason = _reason(sleep)
        if reason:
            keep_weather()
            rtc["woken"] = reason
            by = "pin" if reason == GPIO_WAKE else "timer"
            current.power.reset(DEEPSLEEP_RESET, {"wake": by, "charge_uc": charge // 1000})
        charge += floor.water_ua() * _LOOK_MS if floor else 0
        await asyncio.sleep_ms(_LOOK_MS)


def _wake(by, told):
    if by != "timer":
        raise ValueError("nothing else than the timer can be told to wake it")
    rtc = board.current.power.rtc
    rtc["skipped"] += max(0, rtc["sleep"]["until"] - clock_ms())


def _reason(sleep):
    wake = sleep["wake"]
    if wake and board.current.pads.level(wake[0]) == wake[1]:
        return GPIO_WAKE
    return TIMER_WAKE if clock_ms() >= sleep["until"] else 0
