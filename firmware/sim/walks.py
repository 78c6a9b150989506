"""People at a counter, whatever it senses with.

- {"cross": "in" | "out", "ms": 700, "after_ms": 0}: somebody walks through, beginning after so
  long; when they have passed, {"crossed": "in" | "out"};
- {"turn_back": "in" | "out", "ms": 700, "after_ms": 0}: somebody comes as far as both beams and
  walks back; when they have gone, {"turned": "in" | "out"}.

Here: these lines. Not here: what the sensor makes of somebody, which is `board.walk(direction,
start, end, turns)`, of `beam_walk` or `lane_walk`; it gives when they have gone. All in the world's
time (`moment`).
"""

import asyncio

import board
from moment import now_us, reach
from report import emit
from world import milliseconds


def _walk(direction, told, turns):
    if direction not in ("in", "out"):
        raise ValueError("neither in nor out")
    start = now_us() + milliseconds(told, "after_ms", 0) * 1000
    end = start + milliseconds(told, "ms", 700) * 1000
    end = board.current.walk(direction, start, end, turns)
    asyncio.create_task(_gone(end, {"turned" if turns else "crossed": direction}))


async def _gone(end, line):
    await reach(end)
    emit(line)


DEEDS = {
    "cross": lambda direction, told: _walk(direction, told, False),
    "turn_back": lambda direction, told: _walk(direction, told, True),
}
