"""Runs before main.py at every start: slows down a device that keeps failing.

The radio draws the most current as it starts. A supply too weak for it, or an application that
falls over, would otherwise start again for ever at full speed. main.py counts the attempts.
"""

import json
import time

QUICK = 5
LONGEST_S = 60

try:
    with open("/slot.json") as file:
        attempts = int(json.load(file)["attempts"])
except (OSError, ValueError, KeyError, TypeError):
    attempts = 0
if attempts > QUICK:
    wait_s = min(2 ** min(attempts - QUICK, 6), LONGEST_S)
    print("boot: %d starts without a healthy one, waiting %d s" % (attempts, wait_s))
    time.sleep(wait_s)
