"""Plays waveforms into the simulated panel; its picture lines come out on stdout.

Stdin: one JSON object, {"driver", "pins", "moves"}. A move is {"shift": [data words]}, {"row": n},
{"latch": 1}, {"light": 0 or 1}, or {"eye": microseconds until the next look}.
"""

import json
import sys
import time

import gpio
import panels

job = json.load(sys.stdin)
pads = gpio.Pads()
panel = panels.Panel(job["driver"], job["pins"], pads)
pads.wire_panel(panel)
driver, pins = job["driver"], job["pins"]
SET, CLEAR = 0x3FF44008, 0x3FF4400C
ENABLE = 1 << pins["oe" if "oe" in pins else "en"]
LATCH = 1 << pins["lat" if "lat" in pins else "stb"]
CLOCK = 1 << pins["clk"]
ADDRESS = [1 << pins[name] for name in "abcd" if name in pins]


def to(mask, level):
    pads[SET if level else CLEAR] = mask


def light(on):
    to(ENABLE, on == (driver["oe_active"] == "high"))


light(False)
to(LATCH, driver["lat_active"] == "low")
for move in job["moves"]:
    if "shift" in move:
        for word in move["shift"]:
            pads[CLEAR] = panel.data & ~word | CLOCK
            pads[SET] = word
            pads[SET] = CLOCK
    elif "row" in move:
        for bit, mask in enumerate(ADDRESS):
            to(mask, move["row"] >> bit & 1)
    elif "latch" in move:
        to(LATCH, driver["lat_active"] == "high")
        to(LATCH, driver["lat_active"] == "low")
    elif "light" in move:
        light(move["light"] == 1)
    elif "eye" in move:
        panel.tick(time.ticks_us() + move["eye"])
