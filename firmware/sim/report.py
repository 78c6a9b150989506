"""What the world says to the host: one JSON object a line, each with its time.

It goes where `start` says; until then to stdout, which is the device's serial line. "t_us" is
`time.ticks_us()`, which in the unix port is the host's monotonic clock in microseconds, comparable
between processes.
"""

import json
import sys
import time
from binascii import b2a_base64

from micropython import const

# Bytes that go out as one piece of base64: a multiple of three and of a word, so that pieces join.
_PIECE = const(768)

_output = sys.stdout


def speak(stream):
    """From now on to `stream`."""
    global _output
    _output = stream


def emit(line, t_us=None, begin=""):
    """Writes `line` (a dict) with "t_us" in front; the moment is now unless it is given.

    `begin` is a newline for what another thread says, perhaps in the middle of a line.
    """
    text = json.dumps(line, separators=(",", ":"))
    moment = time.ticks_us() if t_us is None else t_us
    _output.write('%s{"t_us":%d,%s\n' % (begin, moment, text[1:]))


def emit_bytes(what, name, data, t_us):
    """Writes {what: {name: base64 of data}} as `emit` does, but piece by piece: in one piece it may
    be more than the heap has left. `data` is a memoryview of words of four bytes."""
    _output.write('{"t_us":%d,"%s":{"%s":"' % (t_us, what, name))
    for at in range(0, len(data), _PIECE // 4):
        _output.write(b2a_base64(data[at : at + _PIECE // 4], newline=False))
    _output.write('"}}\n')
