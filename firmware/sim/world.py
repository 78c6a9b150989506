"""The world around a device: what people, water and the mains do, told line by line.

One JSON object a line. To every device:
- {"wifi": "off" | "on"}: the access point goes and comes;
- {"erase_ms": n}: from now on the flash takes so long for a sector, and the chip stands still;
- {"hang_ms": n}: the interpreter is stuck that long, as in a driver that waits for dead hardware;
  as it begins, {"hangs": n}.
What else can be done to one has its modules: `fingers`, `cards`, `walks`, `lane_walk`, `water`,
and for a chip that sleeps, `asleep`.

A line that makes no sense is answered by {"error": what is wrong}, and the next one is read. The
end of it is the end of the host: power off.
"""

import asyncio
import json
import time

import board
import power
from micropython import const
from report import emit

_LONGEST_LINE = const(1000)
_LONGEST_MS = const(3_600_000)
_LOOK_MS = const(20)


async def run(stream):
    """Reads and obeys until `stream` ends."""
    for display in (board.current.panel, board.current.digits):
        if display:
            asyncio.create_task(_look_at(display))
    lines = asyncio.StreamReader(stream)
    while True:
        line = await lines.readline()
        if not line:
            power.die()
        try:
            _obey(line)
        except (ValueError, KeyError, TypeError) as error:
            shown = "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in line[:60].strip())
            emit({"error": "%s: %s" % (shown, error)})


async def _look_at(display):
    """The eye of the person in front of the device: notices when a display has settled."""
    while True:
        display.tick(time.ticks_us())
        await asyncio.sleep_ms(_LOOK_MS)


def _obey(line):
    if len(line) > _LONGEST_LINE:
        raise ValueError("a line has at most %d bytes" % _LONGEST_LINE)
    told = json.loads(line)
    if not isinstance(told, dict):
        raise ValueError("not an object")
    for deeds in (board.current.deeds, _DEEDS):
        for name in deeds:
            if name in told:
                deeds[name](told[name], told)
                return
    names = sorted(list(board.current.deeds) + list(_DEEDS))
    raise ValueError("for this device none of " + ", ".join(names))


def milliseconds(told, name, default):
    """A length that is told, or the default. ValueError: it makes no sense."""
    value = told.get(name, default)
    if not isinstance(value, int) or not 0 <= value <= _LONGEST_MS:
        raise ValueError("%s is not 0 to %d" % (name, _LONGEST_MS))
    return value


def _wifi(state, told):
    if state not in ("off", "on"):
        raise ValueError("neither off nor on")
    board.current.wifi_in_range = state == "on"


def _erase(length, told):
    board.current.flash.erase_ms = milliseconds(told, "erase_ms", 0)


def _hang(length, told):
    emit({"hangs": milliseconds(told, "hang_ms", 0)})
    time.sleep_ms(length)


_DEEDS = {"wifi": _wifi, "erase_ms": _erase, "hang_ms": _hang}
