"""The world's own time: it stands still while the host gives this process no turn.

The world is in the process of the device, so on a busy machine both are away for a while, perhaps
for as long as a press lasts. No chip is ever away like that, and nobody can see what a device does
that is not there: so people wait with it. What the firmware itself waits for (a sector that is
erased, a driver that hangs) is no such time: meanwhile the world goes on.

Here: that clock. Not here: when something is told of (`report`), which is the host's own time, and
the device's clock, `time`, which goes on as well: a chip may have been busy.
"""

import asyncio
import time

from micropython import const

_SHORT_US = const(20_000)  # nobody misses anything by that

_last = time.ticks_us()
_waited = 0
_lost = 0
# Opened while the host's files can be reached. A kernel that does not count has none.
try:
    _turns = open("/proc/self/schedstat", "rb")  # noqa: SIM115 (open as long as there is power)
except OSError:
    _turns = None


def now_us():
    """Microseconds, never less than before."""
    global _last, _lost, _waited
    now = time.ticks_us()
    away = now - _last
    _last = now
    if away > _SHORT_US and _turns:
        waited = waited_us()
        _lost += min(waited - _waited, away)
        _waited = waited
    return now - _lost


def waited_us():
    """How long this process could have run and was not let to, since it began; 0: unknown.

    Source: Linux's Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat.
    """
    if not _turns:
        return 0
    _turns.seek(0)
    return int(_turns.read(60).split()[1]) // 1000


async def reach(moment):
    """Returns when it is `moment`, a time of now_us()."""
    while True:
        left = moment - now_us()
        if left <= 0:
            return
        await asyncio.sleep_ms(left // 1000 + 1)
