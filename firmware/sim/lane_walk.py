"""Somebody walks under a sensor, and what may befall the sensor.

{"sensor": "hangs" | "gone" | "back" | "noisy"}: its chip stops measuring (until it is reset), does
not answer at all, is well again; or its line is disturbed (radar).
"""

import board


def walk(direction, start, end, turns):
    lane = board.current.lane
    end = start + max(end - start, 1000) * lane.stretch
    lane.walk(direction, start, end, turns)
    return end


def _sensor(state, told):
    sensor = board.current.sensor
    if state not in ("hangs", "gone", "back", "noisy"):
        raise ValueError("neither hangs, gone, back nor noisy")
    if state == "hangs":
        sensor.hung = True
    elif state == "noisy":
        sensor.noisy = True
    else:
        sensor.gone = state == "gone"
        sensor.noisy = False


DEEDS = {"sensor": _sensor}
