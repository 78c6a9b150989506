"""`machine` of the ESP32 port, as far as Hallkit uses it, on the simulated board.

Here: the API with the ESP32 port's own argument checks; I2C, UART, SPI and ADC join it where a
board has a part on them (`i2c`, `serial`, `spi`, `adc`), and deep sleep where a device may sleep
(`sleeping`), a timer where a slot is on trial (`trial`), as the heap is the device's. Not here:
what the hardware does.
"""

import _thread
import array
import time

import board
from power import (  # noqa: F401 (part of the module's API)
    DEEPSLEEP_RESET,
    HARD_RESET,
    PWRON_RESET,
    SOFT_RESET,
    WDT_RESET,
)


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_FALLING = 2

    def __init__(self, id, mode=-1, pull=-1, *, value=None, hold=None):
        pads = board.current.pads
        if not pads.exists(id):
            raise ValueError("invalid pin")
        if mode == Pin.OUT and pads.chip == "esp32" and id >= 34:
            raise ValueError("pin can only be input")
        self.id = id
        if hold is not None:
            pads.hold(id, False)
        if value is not None:
            self.value(value)
        if hold:
            pads.hold(id, True)

    def value(self, level=None):
        if level is None:
            return board.current.pads.level(self.id)
        return board.current.pads.drive(self.id, level)

    def irq(self, handler=None, trigger=IRQ_FALLING):
        board.current.pads.wire_irq(self.id, lambda: handler(self))

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


class RTC:
    def memory(self, data=None):
        return board.current.power.memory(data)


class WDT:
    """Bites for real: a thread ends the process when the deadline passes, whatever it is doing.

    Reference: as in the ESP32 port a watchdog cannot be stopped, but a new WDT changes its timeout.
    """

    _deadline = None

    def __init__(self, id=0, timeout=5000):
        self._timeout = timeout
        first = WDT._deadline is None
        if first:
            WDT._deadline = array.array("q", [0])
        self.feed()
        if first:
            _thread.stack_size(16 * 1024)
            _thread.start_new_thread(_watch, (WDT._deadline,))

    def feed(self):
        WDT._deadline[0] = time.ticks_ms() + self._timeout


def _watch(deadline):
    # Nothing in here takes memory: this thread runs beside the interpreter without a lock. And
    # sleep() sleeps, while the unix port's sleep_ms() wakes 2,000 times a second: 5 % of a core.
    while time.ticks_ms() < deadline[0]:
        time.sleep(0.02)
    board.current.power.reset(WDT_RESET, {"reset": "watchdog"})


def reset():
    board.current.power.reset(HARD_RESET, {"reset": "soft"})


def reset_cause():
    return board.current.power.cause
