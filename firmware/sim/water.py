"""Water on the floor, and what else comes to a wet-floor probe.

- {"wet_ohms": n}: the water's resistance between the electrodes;
- {"probe": "open" | "short" | "frozen"}: until the next wet_ohms;
- {"button": ms}: the cleaner presses for so long; {"rain": "on" | "off"}.
"""

import board
from moment import now_us
from world import milliseconds


def _wet_ohms(ohms, told):
    if not isinstance(ohms, int) or not 1 <= ohms <= 1_000_000_000:
        raise ValueError("wet_ohms is not 1 to 1000000000")
    floor = board.current.floor
    floor.ohms = ohms
    floor.frozen = False


def _probe(fault, told):
    floor = board.current.floor
    if fault == "open":
        floor.cut()
    elif fault == "short":
        floor.bridge()
    elif fault == "frozen":
        floor.frozen = True
    else:
        raise ValueError("neither open, short nor frozen")


def _button(length, told):
    length = milliseconds(told, "button", 0)
    now = now_us()
    _contact("button").close(now, now + length * 1000)


def _rain(state, told):
    if state not in ("off", "on"):
        raise ValueError("neither off nor on")
    _contact("rain").hold(state == "on")


def _contact(name):
    if name not in board.current.contacts:
        raise ValueError("this device has no " + name)
    return board.current.contacts[name]


DEEDS = {"wet_ohms": _wet_ohms, "probe": _probe, "button": _button, "rain": _rain}
