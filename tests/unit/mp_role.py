"""Runs a role with its real drivers in the real MicroPython, on scripted pins, in simulated time.

stdin, one JSON object: {"config", "glyphs", "until": ms, "high": {pin: [[from, to], ...]},
"ohms": [[from, ohms or null], ...], "desired": [[at, object], ...], "down": [[at, ms], ...],
"quiet": true or absent, "on_ms": ms or absent}. A pin is active in its `high` intervals; a quiet
run reports no outputs. Before the heap is looked at, the device has been on for `on_ms`.
stdout, a JSON line each: {"event": [now, kind, data]}, {"output": [now, pin, 0 or 1]},
{"refused": text}, and at the end {"state", "selftest", "scans", "frames", "heap"}: frames that a
panel was shown, the last frames on the SPI bus, and how many bytes a second of steps has allocated.
"""

import gc
import json
import sys

import scan_log
from hall import build
from hall.drivers.description import log_bytes

job = json.loads(sys.stdin.readline())


class World:
    now = 0
    drive = None  # the pin that is driven high


def latest(script, default):
    value = default
    for start, each in script:
        if start <= World.now:
            value = each
    return value


class Input:
    def __init__(self, pin):
        self._intervals = job["high"].get(str(pin), ())

    def value(self):
        for start, end in self._intervals:
            if start <= World.now < end:
                return 1
        return 0


class Output:
    def __init__(self, pin):
        self._pin = pin
        self._level = 0

    def on(self):
        World.drive = self._pin
        self._report(1)

    def off(self):
        self._report(0)

    def _report(self, level):
        if level != self._level and not job.get("quiet"):
            print(json.dumps({"output": [World.now, self._pin, level]}))
        self._level = level


class Adc:
    """The divider of the probe, driven from one end or the other; `ohms` are those it measures.

    No two readings are the same: the last digits count them.
    """

    _noise = 0

    def read_uv(self):
        self._noise = (self._noise + 1) % 64
        return self._volts() + self._noise

    def _volts(self):
        ohms = latest(job["ohms"], None)
        forward = World.drive == job["config"]["pins"]["drive_a"]
        if ohms is None:
            return 3300000 if forward else 0
        series = job["config"]["driver"]["series_ohms"]
        return 3300000 * (ohms if forward else series) // (ohms + series)


class Player:
    """The native scan, into a log that nobody reads."""

    scans = 0

    def __init__(self):
        self.build = scan_log.build
        self._log = None

    def frame(self, program, description):
        if self._log is None:
            self._log = bytearray(log_bytes(description))
        scan_log.frame(program, description, self._log)
        Player.scans += 1


class Hal:
    GPIO = 0x3FF44000
    frames = []

    def input(self, pin, active):
        return Input(pin)

    def output(self, pin, active):
        return Output(pin)

    def adc(self, pin):
        return Adc()

    def spi(self, clk, din, hz):
        return self

    def player(self):
        return Player()

    def write(self, frame):
        if not job.get("quiet"):
            self.frames.append(list(frame))
            del self.frames[:-40]


class Context:
    kept = {}

    def emit(self, kind, data):
        print(json.dumps({"event": [World.now, kind, data]}))

    def unix_ms(self):
        return 1700000000000 + World.now

    def link_down_ms(self):
        return latest(job["down"], 0)

    def log(self, text):
        print(json.dumps({"log": text}))


def run(role, until):
    while World.now < until:
        for start, desired in job["desired"]:
            if World.now <= start < World.now + role.PERIOD_MS:
                try:
                    role.desire(desired, World.now)
                except ValueError as error:
                    print(json.dumps({"refused": str(error)}))
        role.step(World.now)
        World.now += role.PERIOD_MS


role = build.make_role(job["config"], Hal(), Context(), job["glyphs"])
run(role, job["until"])
result = {"state": role.state(), "selftest": role.selftest(), "scans": Player.scans}
result["frames"] = Hal.frames
World.now += job.get("on_ms", 0)
role.step(World.now)
gc.collect()
gc.disable()
before = gc.mem_alloc()
for _ in range(1000 // role.PERIOD_MS):
    role.step(World.now)
    World.now += role.PERIOD_MS
result["heap"] = gc.mem_alloc() - before
print(json.dumps(result))
