"""The chip of a device that sleeps: with hal.py the only module that imports machine and esp32.

Here: deep sleep and what wakes from it, what RTC memory keeps over it, the clock that goes on in
it, and a Wi-Fi that joins for one exchange. Only devices that sleep load it. Not here: what all
devices have (hal.py), and when to sleep (napper.py).
"""

import time
from binascii import crc32

import esp32
import machine
from micropython import const

from . import hal
from .errors import PACKED_MAX
from .hal import partition, uptime_ms  # noqa: F401 (for who is given this module as its hal)

_RTC_MAX = const(2048)
_CRC_BYTES = const(4)
# A parameter of the ESP32 port's Pin that its stubs do not know.
_HOLD = {"hold": True}
_JOIN_KNOWN_MS = const(4000)  # on the channel of last time, where it takes less than one second


def kept():
    """What remember() was last told, in this life or before a sleep or a reset; b"" after a power
    cut. hal.boot_cause() comes first."""
    state = hal.rtc_tail[_CRC_BYTES:]
    return state if hal.rtc_tail[:_CRC_BYTES] == _crc(state) else b""


def remember(state):
    """Keeps `state` (bytes, at most 1295) over deep sleep and resets. ValueError: it is longer."""
    if len(state) > _RTC_MAX - 9 - 4 * hal.NOTE_MAX - PACKED_MAX:
        raise ValueError("RTC memory has no room for %d bytes" % len(state))
    hal.rtc_tail = _crc(state) + state
    hal.write_rtc(b"")


def _crc(state):
    return crc32(state).to_bytes(_CRC_BYTES, "big")


def clock_ms():
    """A clock that goes on in deep sleep: ms since some moment before the last power-on.

    Asleep it is the RC oscillator's, some percent off (ESP32-C3 data sheet: trimmed, 136 kHz).
    """
    year, month, day, _, hour, minute, second, us = machine.RTC().datetime()
    seconds = time.mktime((year, month, day, hour, minute, second, 0, 0))
    return seconds * 1000 + us // 1000


def went_on(uptime):
    """It is `uptime` ms since the boot: this start is a wake, and time did not stand still."""
    hal._ticks = time.ticks_ms()
    hal._uptime = uptime


def woken_by_pin():
    """Whether a pin, not the timer, ended the deep sleep."""
    return machine.wake_reason() != machine.TIMER_WAKE


def deep_sleep(length, armed):
    """Off, but for RTC memory, for `length` ms; the next start has the cause deep_sleep.

    `armed`: None, or ((pin, level), {pin: level}) of what wakes the chip sooner and which levels
    other pins keep meanwhile. On an ESP32-C3 that can be GPIO 0 to 5.
    """
    if armed:
        (pin, level), levels = armed
        for each in levels:
            machine.Pin(each, machine.Pin.OUT, value=levels[each], **_HOLD)
        wakes = (machine.Pin(pin, machine.Pin.IN),)
        esp32.wake_on_gpio(wakes, esp32.WAKEUP_ANY_HIGH if level else esp32.WAKEUP_ALL_LOW)
    machine.deepsleep(length)


class Wifi(hal.Wifi):
    """A station that is joined by join() and left by off(), instead of being kept joined."""

    _number = 0
    _static_ip = None
    _channel = None

    async def join(self, place, static_ip):
        """One try of the network and channel of `place` (of place(); None: each network in turn).

        `static_ip`: (address, netmask, router) or None, which is DHCP. Whether it joined.
        """
        self._static_ip = static_ip
        self._channel = place and place[1]
        patience_ms = _JOIN_KNOWN_MS if self._channel else hal.JOIN_MS
        for number, (ssid, password) in enumerate(self._networks):
            if place and number != place[0]:
                continue
            if await self._join(ssid, password, True, patience_ms):
                self._number = number
                return True
        return False

    def place(self):
        """Where the station is joined: the number of its network, and the channel. No BSSID, which
        the port does not tell."""
        return [self._number, self._station.config("channel")]

    def off(self):
        """Leaves, and switches the radio off: ESP-IDF wants that before a sleep."""
        try:
            self._station.disconnect()
            self._station.active(False)
        except OSError as error:
            self._log("wifi: %s" % error)

    def _set_up(self):
        if self._static_ip:
            address, mask, router = self._static_ip
            self._station.ifconfig((address, mask, router, router))
        if self._channel:
            self._station.config(channel=self._channel)  # where the scan begins
