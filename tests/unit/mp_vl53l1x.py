"""The VL53L1X's driver on the model of the chip, in time that only this script moves.

Arguments: flash file, RTC file. stdin, one JSON object: {"config", "deeds": [[ms, what, argument],
...], "until_ms", "period_ms"}; the deeds are done to the world when their time has come. stdout:
JSON lines: each {"sample"}, each change of {"fault"}, the model's {"misuse"}, then {"restarts"}.
"""

import json
import sys

import board

board.current = board.Board(sys.argv[1], sys.argv[2])

from hall import hal  # noqa: E402
from hall.drivers import vl53l1x  # noqa: E402

job = json.loads(sys.stdin.readline())
config = job["config"]
pads = board.current.pads
board.current.wire(config)
chip = board.current.sensor
lane = board.current.lane
now_us = 0
away_us = 0


def clock_us():
    return now_us


chip._now = clock_us
vl53l1x.ticks_ms = lambda: (now_us + away_us) // 1000


def walk(told):
    lane.walk(told["dir"], now_us, now_us + told["ms"] * 1000, told.get("turns", False))


def ledge(mm):
    """Something of that height under the outer half of the sensor, and nothing under the inner."""
    lane.height = lambda low, high, at: mm if high <= 0 else 0


def bus_errors(nth):
    """Of the bytes that the host writes to registers, each nth is not acknowledged, but taken."""
    take = chip.take
    count = [0]

    def spoil(byte):
        index = chip._index_bytes
        take(byte)
        count[0] += not index
        return bool(index or count[0] % nth)

    chip.take = spoil


def stall(ms):
    global now_us
    now_us += ms * 1000


def away(ms):
    """As a process that gets no turn: the world waits with it, the device's clock does not."""
    global away_us
    away_us += ms * 1000


def model(number):
    forget = chip._forget

    def wake_as_another():
        forget()
        chip._registers[0x110] = number

    chip._forget = wake_as_another


DEEDS = {
    "walk": walk,
    "ledge": ledge,
    "hangs": lambda on: setattr(chip, "hung", on),
    "gone": lambda on: setattr(chip, "gone", on),
    "deaf_pin": lambda on: pads.wire_line(config["pins"]["int"], lambda: 1),
    "shorted_pin": lambda on: pads.wire_line(config["pins"]["int"], lambda: 0),
    "model": model,
    "bus_errors": bus_errors,
    "stall": stall,
    "away": away,
}

driver = vl53l1x.Vl53l1x(config["driver"], config["pins"], hal.Hal(config["chip"]))
deeds = list(job["deeds"])
fault = None
while now_us < job["until_ms"] * 1000:
    while deeds and deeds[0][0] * 1000 <= now_us:
        _, what, argument = deeds.pop(0)
        DEEDS[what](argument)
    sample = driver.poll()
    if sample:
        print(json.dumps({"at": now_us // 1000, "sample": sample, "kcps": driver.signal_kcps}))
    if driver.fault() != fault:
        fault = driver.fault()
        print(json.dumps({"at": now_us // 1000, "fault": fault}))
    now_us += job.get("period_ms", 5) * 1000
print(json.dumps({"restarts": driver.restarts}))
