"""Fingers on the keys of a keypad.

{"press": k, "ms": 120, "bounce_ms": 6, "after_ms": 0}: one on key k, touching it after so long,
which is answered by {"pressed": k}, and by {"released": k} when the key is up again. All in the
world's time (`moment`).
"""

import asyncio
import time

import board
from moment import now_us, reach
from report import emit
from world import milliseconds


def _press(key, told):
    name = "key_%s" % key
    if name not in board.current.contacts:
        raise ValueError("this device has no " + name)
    length = milliseconds(told, "ms", 120)
    bounce = milliseconds(told, "bounce_ms", 6)
    if bounce > length:
        raise ValueError("bounce_ms is more than ms")
    start = now_us() + milliseconds(told, "after_ms", 0) * 1000
    asyncio.create_task(_touch(key, board.current.contacts[name], start, length, bounce))


async def _touch(key, contact, start, length, bounce):
    await reach(start)
    touched = time.ticks_us()
    now = now_us()
    contact.press(now, now + length * 1000, bounce * 1000)
    emit({"pressed": key}, touched)
    await reach(now + (length + bounce) * 1000)
    emit({"released": key})


DEEDS = {"press": _press}
