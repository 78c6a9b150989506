"""People at a counter, whatever it senses with.

- {"cross": "in" | "out", "ms": 700}: somebody walks through; when they have passed,
  {"crossed": "in" | "out"};
- {"turn_back": "in" | "out", "ms": 700}: somebody comes as far as both beams and walks back.

Here: these lines. Not here: what the sensor makes of somebody, which is `board.walk(direction, ms,
turns)`, of `beam_walk` or `lane_walk`; it gives the ms that this takes.
"""

import asyncio

import board
from report import emit
from world import milliseconds


def _walk(direction, told, turns):
    if direction not in ("in", "out"):
        raise ValueError("neither in nor out")
    return board.current.walk(direction, milliseconds(told, "ms", 700), turns)


def _cross(direction, told):
    asyncio.create_task(_crossed(direction, _walk(direction, told, False)))


async def _crossed(direction, length):
    await asyncio.sleep_ms(length)
    emit({"crossed": direction})


def _turn_back(direction, told):
    _walk(direction, told, True)


DEEDS = {"cross": _cross, "turn_back": _turn_back}
