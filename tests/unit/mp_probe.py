"""The probe's driver on the simulated converter and floor. Arguments: flash file, RTC file.

stdin, one JSON object: {"config", "settings": [the settings, once for each try]}; stdout, a JSON
line for each: {state of the floor: [ohms, fault]}, dry, cut, short, and wet as far as may be.
"""

import json
import sys

import board

board.current = board.Board(sys.argv[1], sys.argv[2])

from hall import hal  # noqa: E402
from hall.drivers.probe import Probe  # noqa: E402

job = json.loads(sys.stdin.readline())
config = job["config"]
board.current.wire(config)
floor = board.current.floor
chip = hal.Hal(config["chip"])
for settings in job["settings"]:
    probe = Probe(config["driver"], config["pins"], settings, chip)
    seen = {"new": probe.measure()}
    for name, ohms in (
        ("dry", 5_000_000),
        ("bone_dry", 1_000_000_000),
        ("wet", settings["wet_ohms"] - 1),
        ("drenched", 5_000),
    ):
        floor.ohms = ohms
        seen[name] = probe.measure()
    floor.cut()
    seen["cut"] = probe.measure()
    floor.bridge()
    seen["short"] = probe.measure()
    floor.ohms = 5_000_000
    seen["healed"] = probe.measure()
    print(json.dumps(seen))
