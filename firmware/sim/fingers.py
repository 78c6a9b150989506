"""Fingers on the keys of a keypad.

{"press": k, "ms": 120, "bounce_ms": 6, "after_ms": 0}: one on key k, touching it after so long,
which is answered by {"pressed": k}, and by {"released": k} when the key is up again. All in the
world's time (`moment`), which a chip that is busy does not hold up.

With "reads": n it touches as the flash is read for the n-th time from now, in the midst of whatever
the chip does. Then {"answered": k, "waited_us": n} comes, too, as an output changes for the first
time since: so long of that the host has given this process no turn.
"""

import asyncio
import time

import board
from moment import now_us, reach, waited_us
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
    contact = board.current.contacts[name]
    reads = milliseconds(told, "reads", 0)
    if reads:
        board.current.flash.watch = _at_read(reads, key, contact, length, bounce)
    else:
        start = now_us() + milliseconds(told, "after_ms", 0) * 1000
        _touch(key, contact, start, length, bounce)


def _at_read(reads, key, contact, length, bounce):
    current = board.current

    def read():
        nonlocal reads
        reads -= 1
        if not reads:
            current.flash.watch = None
            current.pads.watch = _answered(key)
            _touch(key, contact, now_us(), length, bounce, time.ticks_us())

    return read


def _answered(key):
    waited = waited_us()

    def changed():
        board.current.pads.watch = None
        emit({"answered": key, "waited_us": waited_us() - waited})

    return changed


def _touch(key, contact, start, length, bounce, touched=None):
    contact.press(start, start + length * 1000, bounce * 1000)
    asyncio.create_task(_tell(key, start, start + (length + bounce) * 1000, touched))


async def _tell(key, start, end, touched):
    await reach(start)
    emit({"pressed": key}, touched or time.ticks_us() - (now_us() - start))
    await reach(end)
    emit({"released": key})


DEEDS = {"press": _press}
