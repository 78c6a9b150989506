"""The real hal on the simulated board. Arguments: flash file, RTC file, what to do."""

import asyncio
import sys
import time

import board

board.current = board.Board(sys.argv[1], sys.argv[2])

import sleeping  # noqa: E402, F401 (joins machine)
from hall import hal, hal_sleep  # noqa: E402
from hall.errors import PACKED_MAX, Errors  # noqa: E402


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
    from contact import Contact
    from moment import now_us

    for active in ("low", "high"):
        contact = Contact()
        board.current.pads.wire_contact(13, contact, active)
        key = chip.input(13, active)
        print("key", active, key.value(), end=" ")
        contact.close(now_us(), now_us() + 3_600_000_000)
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


def remember():
    hal.boot_cause()
    print(hal_sleep.kept())
    hal_sleep.remember(b"over a sleep")
    try:
        hal_sleep.remember(bytes(1296))
    except ValueError as error:
        print("refused", error)
    hal_sleep.remember(bytes(1295))
    hal_sleep.remember(b"over a sleep")


def errors():
    hal.boot_cause()
    hal_sleep.remember(b"over a crash")
    met = Errors(lambda: 7000, lambda text: None, hal.keep_errors, hal.rtc_errors)
    for number in range(7):
        met.report("error %d" % number)
    met.report("error 6")
    hal.note("and so it ends")


def long_errors():
    hal.boot_cause()
    met = Errors(lambda: 7000, lambda text: None, hal.keep_errors, hal.rtc_errors)
    for number in range(7):
        met.report(("瓷%d" % number) * 40)
    assert len(hal.rtc_errors) <= PACKED_MAX, len(hal.rtc_errors)
    hal_sleep.remember(bytes(1295))


def errors_before():
    print(hal.boot_cause())
    met = Errors(lambda: 0, lambda text: None, hal.keep_errors, hal.rtc_errors)
    print(met.last, [[at, times, text[:8]] for at, times, text in met.before], hal_sleep.kept())
    met.report("another")


def forgotten():
    print(hal.boot_cause(), hal_sleep.kept())


def note():
    hal.boot_cause()
    hal_sleep.remember(b"over a reset")
    hal.reset("瓷" * 70)


def clock():
    began, up = hal_sleep.clock_ms(), hal.uptime_ms()
    time.sleep_ms(30)
    print(25 <= hal_sleep.clock_ms() - began < 2000)
    hal_sleep.went_on(up + 600_000)
    print(600_000 <= hal.uptime_ms() - up < 602_000)


def sleep():
    hal.boot_cause()
    chip = hal.Hal("esp32c3")
    board.current.pads.chip = "esp32c3"
    out = chip.output(5, "high")
    hal_sleep.remember(b"kept")
    levels = ((1, 0), {5: 1, 3: 0})
    out.off()
    hal_sleep.deep_sleep(1000, levels)


def watchdog():
    hal.boot_cause()
    dog = hal.watchdog(300)
    for _ in range(10):
        time.sleep_ms(100)
        dog.feed()
    print("fed")
    sys.stdout.write('{"t_us":1,"half a line":')
    while True:
        pass


class NoAccessPoint:
    """A station out of reach of every network, whose driver fails now and then."""

    def __init__(self):
        self.calls = 0
        self.joins = 0

    def active(self, on):
        self._call()

    def config(self, **settings):
        self._call()

    def disconnect(self):
        self._call()

    def connect(self, ssid, password):
        self.joins += 1
        self._call()
        if self.joins == 500:
            raise asyncio.CancelledError

    def isconnected(self):
        return False

    def status(self):
        return 201

    def _call(self):
        self.calls += 1
        if self.calls % 3 == 0:
            raise OSError("Wifi Unknown Error 0x0101")


def wifi():
    async def no_wait(ms):
        pass

    def uptime_ms():
        hal._uptime += 10_000
        return hal._uptime

    hal.uptime_ms = uptime_ms
    hal.asyncio.sleep_ms = no_wait
    radio = hal.Wifi([["a", "key"], ["b", "key"]], lambda text: None, lambda: None)
    radio._station = NoAccessPoint()
    try:
        asyncio.run(radio.run())
    except asyncio.CancelledError:
        print("still trying after", radio._station.joins)


deeds = (uptime, pins, wrong, cause, reset, watchdog, wifi)
deeds += (errors, long_errors, errors_before, remember, forgotten, note, clock, sleep)
{deed.__name__: deed for deed in deeds}[sys.argv[3]]()
