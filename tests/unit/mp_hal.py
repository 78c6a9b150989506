"""The real hal on the simulated board. Arguments: flash file, RTC file, what to do."""

import sys
import time

import board

board.current = board.Board(sys.argv[1], sys.argv[2])

from hall import hal  # noqa: E402


class Ticks:
    """time, on a chip whose ticks have 30 bits, shortly before they wrap."""

    PERIOD = 1 << 30

    def __init__(self):
        self.passed = -1500

    def ticks_ms(self):
        return self.passed % self.PERIOD

    def ticks_diff(self, a, b):
        return (a - b + self.PERIOD // 2) % self.PERIOD - self.PERIOD // 2


def uptime():
    hal.time = ticks = Ticks()
    hal._ticks = ticks.ticks_ms()
    start = hal.uptime_ms()
    for _ in range(8):
        ticks.passed += 400_000_000
        up = hal.uptime_ms() - start
    print(ticks.passed + 1500, "passed", up)


def pins():
    board.current.pads.wire_output(19, "lamp_1")
    board.current.pads.wire_output(21, "lamp_2")
    chip = hal.Hal("esp32")
    high, low = chip.output(19, "high"), chip.output(21, "low")
    for lamp in (high, low):
        lamp.on()
        lamp.off()
    chip.mem32[chip.GPIO_SET] = 1 << 19
    chip.mem32[chip.GPIO_CLEAR] = 1 << 19
    from contact import Contact

    for active in ("low", "high"):
        contact = Contact()
        board.current.pads.wire_contact(13, contact, active)
        key = chip.input(13, active)
        print("key", active, key.value(), end=" ")
        contact.close(time.ticks_us(), time.ticks_us() + 3_600_000_000)
        print(key.value())


def wrong():
    for deed in (
        lambda: hal.Hal("esp8266"),
        lambda: hal.Hal("esp32").output(34, "high"),
        lambda: hal.Hal("esp32").input(24, "low"),
        lambda: hal.partition("romfs"),
    ):
        try:
            deed()
        except (ValueError, OSError) as error:
            print("refused", error)


def cause():
    print(hal.boot_cause(), hal.boot_cause())


def reset():
    hal.boot_cause()
    hal.reset("for a test")


def watchdog():
    hal.boot_cause()
    dog = hal.watchdog(300)
    for _ in range(10):
        time.sleep_ms(100)
        dog.feed()
    print("fed")
    while True:
        pass


{"uptime": uptime, "pins": pins, "wrong": wrong, "cause": cause, "reset": reset, "dog": watchdog}[
    sys.argv[3]
]()
