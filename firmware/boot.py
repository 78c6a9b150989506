"""Runs before main.py at every start: keeps the heap in one piece, slows down a failing device.

What is loaded to stay must not be scattered among garbage, or the large buffers that come later
find no room in a heap that is free in name: so garbage is collected all the time while loading.

The radio draws the most current as it starts. A supply too weak for it, or an application that
falls over, would otherwise start again for ever at full speed. main.py counts the attempts.

For the bench, Ctrl-C stops the application within 2 s after a start (hall/console.py ends that).
In a public place the config's "bench": false keeps the prompt from whoever has a cable.
"""

import gc
import json
import time

import micropython

LOADING_BYTES = 4096
QUICK = 5
LONGEST_S = 60

gc.threshold(LOADING_BYTES)
try:
    with open("/config.json") as file:
        if json.load(file)["bench"] is False:
            micropython.kbd_intr(-1)
except Exception:  # whatever it is: main.py is not run after an error in here
    pass  # whoever repairs this device will want the prompt
try:
    with open("/slot.json") as file:
        attempts = int(json.load(file)["attempts"])
except Exception:
    attempts = 0
if attempts > QUICK:
    wait_s = min(2 ** min(attempts - QUICK, 6), LONGEST_S)
    print("boot: %d starts without a healthy one, waiting %d s" % (attempts, wait_s))
    time.sleep(wait_s)
