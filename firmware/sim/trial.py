"""The timer of the chip, which only a slot on trial has use for.

Here: machine.Timer, once. It calls back between two steps of asyncio; a chip does so between two
bytecodes. Not here: what comes of it (firmware/main.py).
"""

import asyncio

import machine


class Timer:
    ONE_SHOT = 0

    def __init__(self, id):
        self._task = None  # of asyncio

    def init(self, *, mode, period, callback):
        async def wait():
            await asyncio.sleep_ms(period)
            callback(self)

        self._task = asyncio.create_task(wait())

    def deinit(self):
        self._task.cancel()


machine.Timer = Timer
