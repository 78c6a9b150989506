"""What the world says to the host: one JSON object a line on stdout, each with its time.

Anything else on stdout is the device's serial log. "t_us" is `time.ticks_us()`, which in the unix
port is the host's monotonic clock in microseconds, comparable between processes.
"""

import json
import sys
import time


def emit(line, t_us=None):
    """Writes `line` (a dict) with "t_us" in front; the moment is now unless it is given."""
    text = json.dumps(line, separators=(",", ":"))
    moment = time.ticks_us() if t_us is None else t_us
    sys.stdout.write('{"t_us":%d,%s\n' % (moment, text[1:]))
