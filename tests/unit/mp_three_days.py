"""A people counter with beams through days: role, lane, driver, journal and uptime are the
device's own, on the simulated board, in time that only this script moves; ticks have 30 bits.

Nothing is looked at while nobody is there. Arguments: flash file, RTC file. stdin: JSON lines:
{"config", "ticks": at power on}, then {"until": ms, "walks": [[ms, "in" or "out", length, turns]]},
answered by the events that wait, one a line, and {"ticks", "now"}; {"ack": [epoch, seq], "now":
unix ms}; {"reboot": true}; at the end {"count": true}, answered by what the journal and its flash
say.
"""

import json
import random
import sys

import board

board.current = board.Board(sys.argv[1], sys.argv[2])

import contact  # noqa: E402
from hall import build, hal  # noqa: E402
from hall.clock import Clock  # noqa: E402
from hall.journal import Journal  # noqa: E402
from nor_flash import NorFlash  # noqa: E402

PERIOD = 1 << 30
SETTLED_MS = 600  # whoever has passed is told of by then


class Ticks:
    """`time` of a chip, at the world's `now` (ms)."""

    now = 0

    def __init__(self, first):
        self.first = first

    def ticks_ms(self):
        return (self.first + self.now) % PERIOD

    def ticks_diff(self, a, b):
        return (a - b + PERIOD // 2) % PERIOD - PERIOD // 2


class Device:
    """One boot of it; it is also the role's context."""

    kept = {}

    def __init__(self):
        hal._ticks, hal._uptime = ticks.ticks_ms(), 0
        clock = self.clock = Clock(hal.uptime_ms)
        self.journal = Journal(ring, hal.uptime_ms, clock.unix_ms)
        self.role = build.make_role(config, hal.Hal(config["chip"]), self, "")
        self.emit("boot", {"cause": "power_on"})

    def emit(self, kind, data):
        self.journal.append(kind, data)

    def live(self, until, walks):
        for at, way, length, turns in walks:
            board.current.walk(way, at * 1000, (at + length) * 1000, turns)
            self.idle(at)
            while ticks.now < at + length + SETTLED_MS:
                ticks.now += self.role.PERIOD_MS
                self.role.step(hal.uptime_ms())
        self.idle(until)

    def idle(self, until):
        """Nobody is there until then."""
        if ticks.now < until:
            ticks.now = until
        self.role.step(hal.uptime_ms())
        self.journal.prepare()


job = json.loads(sys.stdin.readline())
config = job["config"]
board.current.wire(config)
ticks = hal.time = Ticks(job["ticks"])
contact.now_us = lambda: ticks.now * 1000
ring = NorFlash(4, 4096, random)
Journal.format(ring, 0xC0FFEE)
device = Device()
while True:
    line = sys.stdin.readline()
    if not line:
        break
    told = json.loads(line)
    journal = device.journal
    if "until" in told:
        device.live(told["until"], told["walks"])
        for event in journal.peek(journal.acked, 1000):
            print(json.dumps(event))
        print(json.dumps({"ticks": ticks.ticks_ms(), "now": ticks.now}))
    elif "ack" in told:
        journal.ack(*told["ack"])
        device.clock.set(told["now"])
    elif "reboot" in told:
        device = Device()
    else:
        print(json.dumps({"dropped": journal.dropped, "erases": ring.erases, "next": journal.next}))
