"""`machine` of the ESP32 port, as far as Hallkit uses it, on the simulated board.

Here: the API with the ESP32 port's own argument checks; I2C and UART join it where a board has a
part on them (`i2c`, `serial`), as the heap is the device's. Not here: what the hardware does.
"""

import _thread
import array
import random
import time

import board
from power import (  # noqa: F401 (part of the module's API)
    DEEPSLEEP_RESET,
    HARD_RESET,
    PWRON_RESET,
    SOFT_RESET,
    TIMER_WAKE,
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


class ADC:
    ATTN_11DB = 3

    # At 11 dB the ESP32's converter reads nothing nearer to the ends than this, calibrated, in
    # microvolts. From memory; to be measured on the bench (tests/hardware, row 14). The profiles'
    # check has the same two figures (hall_profiles.drivers.Probe).
    _LOWEST = 142_000
    _HIGHEST = 3_130_000

    def __init__(self, pin, atten=ATTN_11DB):
        self._pin = pin

    def read_uv(self):
        """12 bits over 3.3 V with some steps of noise, and nothing read beyond the two ends."""
        current = board.current
        if current.floor is None or self._pin.id != current.pins["sense"]:
            raise OSError("ESP_ERR_NOT_FOUND")
        full = 3_300_000
        if current.floor.frozen:
            return full // 2
        step = current.floor.sense_uv() * 4095 // full + random.randint(-3, 3)
        return min(max(step * full // 4095, self._LOWEST), self._HIGHEST)


class SPI:
    def __init__(self, id, baudrate=1_000_000, *, polarity=0, phase=0, sck, mosi, miso):
        """All pins must be told, as the port's default for one that is left out may be in use."""
        if id not in (1, 2):
            raise ValueError("SPI(%s) doesn't exist" % id)
        if miso is not None:
            raise ValueError("nothing here answers on MISO")
        pins = board.current.pins
        self._to_digits = (
            board.current.digits is not None
            and (sck.id, mosi.id) == (pins["clk"], pins["din"])
            and (polarity, phase) == (0, 0)
        )

    def write(self, data):
        if self._to_digits:
            board.current.digits.shift(data)


class RTC:
    def memory(self, data=None):
        return board.current.power.memory(data)

    def datetime(self):
        """To be read alone. On this host the epoch is 1970."""
        now = board.current.power.clock_ms()
        year, month, day, hour, minute, second, weekday = time.gmtime(now // 1000)[:7]
        return year, month, day, weekday, hour, minute, second, now % 1000 * 1000


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


def wake_reason():
    return board.current.power.woken


def deepsleep(time_ms):
    board.current.sleep(time_ms)
