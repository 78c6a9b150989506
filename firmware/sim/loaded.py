"""Says which modules a device has loaded when it is complete, instead of running it.

Run as `start` is. Here: a line "loaded: NAME" for each. Not here: who adds up (hall_tools.loaded).
"""

import asyncio
import sys


def _tell(_):
    for name in sys.modules:
        print("loaded:", name)
    sys.exit()


# The firmware runs its tasks with this, once everything is composed.
asyncio.run = _tell

import start  # noqa: E402, F401
