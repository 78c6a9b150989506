"""The LD2450's driver on the simulated radar, in time that only this script moves.

Arguments: flash file, RTC file. stdin, one JSON object: {"config", "deeds": [[ms, what, argument],
...], "until_ms", "baud"}. stdout: JSON lines: each frame's {"targets"}, each change of {"fault"},
then {"bad", "fault"}.
"""

import json
import sys

import board

board.current = board.Board(sys.argv[1], sys.argv[2])

from hall import hal  # noqa: E402
from hall.drivers import ld2450  # noqa: E402

job = json.loads(sys.stdin.readline())
config = job["config"]
board.current.wire(config)
radar = board.current.radar
lane = board.current.lane
now_us = 0
radar._now = lambda: now_us
radar._next = 0
ld2450.ticks_ms = lambda: now_us // 1000
ld2450.BAUD = job["baud"]


def walk(told):
    lane.walk(told["dir"], now_us, now_us + told["ms"] * 1000, False)


DEEDS = {
    "walk": walk,
    "noisy": lambda on: setattr(radar, "noisy", on),
    "gone": lambda on: setattr(radar, "gone", on),
}

driver = ld2450.Ld2450(config["driver"], config["pins"], hal.Hal(config["chip"]))
deeds = list(job["deeds"])
fault = None
while now_us < job["until_ms"] * 1000:
    while deeds and deeds[0][0] * 1000 <= now_us:
        _, what, argument = deeds.pop(0)
        DEEDS[what](argument)
    targets = driver.poll()
    if targets is not None:
        print(json.dumps({"at": now_us // 1000, "targets": targets}))
    if driver.fault() != fault:
        fault = driver.fault()
        print(json.dumps({"at": now_us // 1000, "fault": fault}))
    now_us += 20_000
print(json.dumps({"bad": driver.bad, "fault": driver.fault()}))
