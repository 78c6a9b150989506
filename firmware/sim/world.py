"""The world around a device: what people, water and the mains do, told line by line.

One JSON object a line:
- {"press": k, "ms": 120, "bounce_ms": 6}: a finger on key k; answered by {"pressed": k};
- {"card": n, "bits": 26 | 34}: a card with these data bits at the reader;
- {"digits": "12#"}: keys of its PIN pad;
- {"cross": "in" | "out", "ms": 700}: somebody walks through both beams; when they have passed,
  {"crossed": "in" | "out"};
- {"turn_back": "in" | "out", "ms": 700}: somebody breaks both beams and walks back; these two for
  every people counter, whatever it senses with;
- {"sensor": "hangs" | "gone" | "back" | "noisy"}: a counter's chip stops measuring (until it is
  reset), does not answer at all, is well again; or its line is disturbed (radar);
- {"wet_ohms": n}: the water's resistance between the electrodes; {"probe": "open" | "short" |
  "frozen"}: until the next wet_ohms;
- {"button": ms}: the cleaner presses for so long; {"rain": "on" | "off"};
- {"wifi": "off" | "on"}: the access point goes and comes;
- {"wake": "timer"}: to a chip that sleeps: the time it sleeps for is over, and its clock with it;
- {"erase_ms": n}: from now on the flash takes so long for a sector, and the chip stands still;
- {"hang_ms": n}: the interpreter is stuck that long, as in a driver that waits for dead hardware;
  as it begins, {"hangs": n}.

A line that makes no sense is answered by {"error": what is wrong}, and the next one is read. The
end of it is the end of the host: power off.
"""

import asyncio
import json
import time

import board
import power
from report import emit

_LONGEST_LINE = 1000
_LONGEST_MS = 3_600_000
_LOOK_MS = 20


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
    for name in _DEEDS:
        if name in told:
            _DEEDS[name](told[name], told)
            return
    raise ValueError("none of " + ", ".join(sorted(_DEEDS)))


def _milliseconds(told, name, default):
    value = told.get(name, default)
    if not isinstance(value, int) or not 0 <= value <= _LONGEST_MS:
        raise ValueError("%s is not 0 to %d" % (name, _LONGEST_MS))
    return value


def _contact(name):
    if name not in board.current.contacts:
        raise ValueError("this device has no " + name)
    return board.current.contacts[name]


def _press(key, told):
    contact = _contact("key_%s" % key)
    length = _milliseconds(told, "ms", 120)
    bounce = _milliseconds(told, "bounce_ms", 6)
    if bounce > length:
        raise ValueError("bounce_ms is more than ms")
    now = time.ticks_us()
    contact.press(now, now + length * 1000, bounce * 1000)
    emit({"pressed": key}, now)


def _card(data, told):
    count = told.get("bits", 26)
    if count not in (26, 34) or not isinstance(data, int) or not 0 <= data < 1 << count - 2:
        raise ValueError("a card has 24 or 32 data bits, and bits is 26 or 34")
    bits = [data >> count - 3 - index & 1 for index in range(count - 2)]
    half = count // 2 - 1
    first, last = sum(bits[:half]) & 1, 1 - (sum(bits[half:]) & 1)
    bits.insert(0, first)
    bits.append(last)
    asyncio.create_task(_swipe([bits]))


def _digits(text, told):
    keys = ["0123456789*#".index(char) for char in text]
    frames = [[key >> 3 & 1, key >> 2 & 1, key >> 1 & 1, key & 1] for key in keys]
    asyncio.create_task(_swipe(frames))


async def _swipe(frames):
    pins = board.current.pins
    for frame in frames:
        for bit in frame:
            board.current.pads.pulse(pins["d1" if bit else "d0"])
            await asyncio.sleep_ms(2)
        await asyncio.sleep_ms(150)


def _beams(direction):
    outer, inner = _contact("beam_a"), _contact("beam_b")
    if direction == "in":
        return outer, inner
    if direction == "out":
        return inner, outer
    raise ValueError("neither in nor out")


def _walk(direction, length, turns):
    """Somebody in the lane; how many ms the way takes that the sensor sees."""
    if direction not in ("in", "out"):
        raise ValueError("neither in nor out")
    lane = board.current.lane
    length = max(length, 1) * lane.stretch
    now = time.ticks_us()
    lane.walk(direction, now, now + length * 1000, turns)
    return length


def _cross(direction, told):
    length = _milliseconds(told, "ms", 700)
    if board.current.lane:
        length = _walk(direction, length, False)
    else:
        first, second = _beams(direction)
        now = time.ticks_us()
        # A body is wider than the gap between the beams: for a moment it breaks both.
        first.close(now, now + length * 600)
        second.close(now + length * 400, now + length * 1000)
    asyncio.create_task(_crossed(direction, length))


async def _crossed(direction, length):
    await asyncio.sleep_ms(length)
    emit({"crossed": direction})


def _turn_back(direction, told):
    length = _milliseconds(told, "ms", 700)
    if board.current.lane:
        _walk(direction, length, True)
        return
    first, second = _beams(direction)
    now = time.ticks_us()
    first.close(now, now + length * 1000)
    second.close(now + length * 300, now + length * 700)


def _sensor(state, told):
    sensor = board.current.sensor
    if sensor is None:
        raise ValueError("this device has no sensor over a lane")
    if state not in ("hangs", "gone", "back", "noisy"):
        raise ValueError("neither hangs, gone, back nor noisy")
    if state == "hangs":
        sensor.hung = True
    elif state == "noisy":
        sensor.noisy = True
    else:
        sensor.gone = state == "gone"
        sensor.noisy = False


def _floor():
    if board.current.floor is None:
        raise ValueError("this device has no probe")
    return board.current.floor


def _wet_ohms(ohms, told):
    if not isinstance(ohms, int) or not 1 <= ohms <= 1_000_000_000:
        raise ValueError("wet_ohms is not 1 to 1000000000")
    floor = _floor()
    floor.ohms = ohms
    floor.frozen = False


def _probe(fault, told):
    floor = _floor()
    if fault == "open":
        floor.cut()
    elif fault == "short":
        floor.bridge()
    elif fault == "frozen":
        floor.frozen = True
    else:
        raise ValueError("neither open, short nor frozen")


def _button(length, told):
    _milliseconds(told, "button", 0)
    now = time.ticks_us()
    _contact("button").close(now, now + length * 1000)


def _rain(state, told):
    if state not in ("off", "on"):
        raise ValueError("neither off nor on")
    _contact("rain").hold(state == "on")


def _wifi(state, told):
    if state not in ("off", "on"):
        raise ValueError("neither off nor on")
    board.current.wifi_in_range = state == "on"


def _wake(by, told):
    if by != "timer":
        raise ValueError("nothing else than the timer can be told to wake it")
    if board.current.power.sleep is None:
        raise ValueError("this device is not asleep")
    board.current.power.skip()


def _erase(length, told):
    _milliseconds(told, "erase_ms", 0)
    board.current.flash.erase_ms = length


def _hang(length, told):
    _milliseconds(told, "hang_ms", 0)
    emit({"hangs": length})
    time.sleep_ms(length)


_DEEDS = {
    "press": _press,
    "card": _card,
    "digits": _digits,
    "cross": _cross,
    "turn_back": _turn_back,
    "sensor": _sensor,
    "wet_ohms": _wet_ohms,
    "probe": _probe,
    "button": _button,
    "rain": _rain,
    "wifi": _wifi,
    "erase_ms": _erase,
    "hang_ms": _hang,
    "wake": _wake,
}
