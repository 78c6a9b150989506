"""Plays a panel by the firmware's own driver on a simulated board; its lines come out on stdout.

Stdin: one JSON object, {"config", "moves"}. A move is {"show": hex of all planes}, {"scan": times},
{"dim": percent}, {"blank": 1}, {"eye": microseconds until the next look}, {"sleep_ms": n},
{"drive": [pin, level]} or {"level": pin}, which is answered by {"level": n}.
"""

import json
import sys
import time
from binascii import unhexlify

import board
import gpio
import tap


class Bench:
    pads = gpio.Pads()
    panel = tap.Tap(pads)


job = json.load(sys.stdin)
config = job["config"]
board.current = Bench()
Bench.pads.chip = config["chip"]

import scan_x64  # noqa: E402, F401
from hall import hal  # noqa: E402
from hall.drivers.description import log_bytes  # noqa: E402
from hall.drivers.panel import find, make_panel  # noqa: E402

name = config["driver"]["name"]
driver = __import__("hall.drivers." + name, None, None, ("layout",))
chip = hal.Hal(config["chip"])
panel = make_panel(
    driver.layout, config["driver"], config["pins"], config["settings"], chip, find()
)
words = len(Bench.panel.open(panel._description))
assert 4 * words == log_bytes(panel._description), words
for move in job["moves"]:
    if "show" in move:
        panel.show(unhexlify(move["show"]))
    elif "scan" in move:
        for _ in range(move["scan"]):
            panel.scan()
    elif "dim" in move:
        panel.dim(move["dim"])
    elif "blank" in move:
        find().blank(panel._description)
    elif "eye" in move:
        Bench.panel.tick(time.ticks_us() + move["eye"])
    elif "sleep_ms" in move:
        time.sleep_ms(move["sleep_ms"])
    elif "drive" in move:
        Bench.pads.drive(*move["drive"])
    elif "level" in move:
        print(json.dumps({"level": Bench.pads.level(move["level"])}))
