"""What a chip that sleeps has beside the others, and how it falls asleep.

Here: deep sleep, its wakes and the RTC's clock, which join `machine`, `esp32` and the board where a
device may sleep, as the heap is the device's; and what of the world a sleep leaves as it is. Not
here: what goes on while it sleeps (`asleep`).
"""

import time

import board
import esp32
import machine
from power import DEEPSLEEP_RESET, TIMER_WAKE


def sleep(length):
    """Deep sleep for `length` ms; this process ends. What the world is like stays."""
    current = board.current
    pads, wake = current.pads, current.wake_pin
    if wake and pads.chip == "esp32c3" and wake[0] > 5:
        raise ValueError("wake-up pin not supported")
    current.power.rtc["sleep"] = {
        "until": clock_ms() + length,
        "wake": wake,
        "held": [[pin, pads.out >> pin & 1] for pin in pads.held],
    }
    keep_weather()
    current.power.reset(DEEPSLEEP_RESET, {"sleep": length, "wake": wake})


def keep_weather():
    """What of the world a sleep does not change, as it is now."""
    current = board.current
    kept = current.power.rtc["sleep"]
    kept["ohms"] = current.floor and current.floor.ohms
    kept["wifi"] = current.wifi_in_range


def restore(kept):
    """The world and the held pins as a sleep has left them."""
    current = board.current
    for pin, level in kept["held"]:
        current.pads.drive(pin, level)
        current.pads.hold(pin, True)
    current.wifi_in_range = kept["wifi"]
    if current.floor:
        current.floor.ohms = kept["ohms"]


def clock_ms():
    """The RTC's clock: the host's, and what skipped sleeps went ahead."""
    return time.time_ns() // 1_000_000 + board.current.power.rtc["skipped"]


def _wake_on_gpio(pins, level):
    """One pin at most here; whether it can wake the chip is said by the sleep."""
    (pin,) = pins
    board.current.wake_pin = [pin.id, 1 if level else 0]


def _wake_reason():
    return board.current.power.woken


class _RTC(machine.RTC):
    def datetime(self):
        """To be read alone. On this host the epoch is 1970."""
        now = clock_ms()
        year, month, day, hour, minute, second, weekday = time.gmtime(now // 1000)[:7]
        return year, month, day, weekday, hour, minute, second, now % 1000 * 1000


machine.RTC = _RTC
machine.deepsleep = sleep
machine.wake_reason = _wake_reason
machine.TIMER_WAKE = TIMER_WAKE
esp32.wake_on_gpio = _wake_on_gpio
esp32.WAKEUP_ALL_LOW, esp32.WAKEUP_ANY_HIGH = False, True
