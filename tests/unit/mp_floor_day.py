"""A floor sensor's role and driver on the simulated circuit, second by second as told.

Arguments: flash file, RTC file. stdin: a line of JSON {"config"}, then one a second:
[ohms between the electrodes, or "open", "short", "frozen"; button; rain]. stdout: a line of JSON
[second, kind, data] an event.
"""

import json
import sys

import board

board.current = board.Board(sys.argv[1], sys.argv[2])

from hall import build, hal  # noqa: E402
from hall.drivers import probe  # noqa: E402

# The circuit settles at once, and a day has 86,400 seconds.
probe.sleep_us = lambda us: None


class Context:
    kept = {}

    def emit(self, kind, data):
        print(json.dumps([second, kind, data]))


config = json.loads(sys.stdin.readline())["config"]
board.current.wire(config)
floor, contacts = board.current.floor, board.current.contacts
role = build.make_role(config, hal.Hal(config["chip"]), Context(), "")
for second, line in enumerate(sys.stdin):
    state, button, rain = json.loads(line)
    contacts["button"].hold(button)
    contacts["rain"].hold(rain)
    floor.frozen = state == "frozen"
    if state == "open":
        floor.cut()
    elif state == "short":
        floor.bridge()
    elif not floor.frozen:
        floor.ohms = state
    role.step(second * 1000)
