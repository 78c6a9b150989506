"""Fingers on the keys of a keypad.

{"press": k, "ms": 120, "bounce_ms": 6}: one on key k, answered by {"pressed": k}.
"""

import time

import board
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
    now = time.ticks_us()
    board.current.contacts[name].press(now, now + length * 1000, bounce * 1000)
    emit({"pressed": key}, now)


DEEDS = {"press": _press}
