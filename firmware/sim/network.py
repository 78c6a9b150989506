"""`network` of the ESP32 port: a station that finds any network as long as Wi-Fi is in range.

Here: the states a station goes through and the errors the ESP32 port raises. Not here: packets;
sockets are the host's own and go on working while the station is not joined.
"""

import time

import board
from micropython import const

STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201

_JOIN_MS = const(50)
_CHANNEL = const(6)
_RSSI = const(-50)


class WLAN:
    IF_STA = 0
    PM_NONE = 0

    def __init__(self, interface=IF_STA):
        self._active = False
        self._ssid = ""
        self._started = None

    def active(self, on=None):
        if on is None:
            return self._active
        self._active = on
        if not on:
            self._started = None
        return None

    def config(self, what=None, *, reconnects=0, pm=PM_NONE, channel=0):
        """Those that can be set only matter to a radio."""
        if what is None:
            return None
        return {"ssid": self._ssid, "channel": _CHANNEL}[what]

    def ifconfig(self, address=None):
        """One that is set is not used: the sockets are the host's."""
        return address or ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def connect(self, ssid, key=None):
        self._ssid = ssid
        # ESP-IDF refuses a second esp_wifi_connect() while one is under way (issues 7139, 17661).
        if not self._active or self._started is not None:
            raise OSError("Wifi Internal Error")
        self._started = time.ticks_ms()

    def disconnect(self):
        self._started = None

    def isconnected(self):
        return self.status() == STAT_GOT_IP

    def status(self, what=None):
        if what == "rssi":
            return _RSSI
        if self._started is None:
            return STAT_IDLE
        if time.ticks_diff(time.ticks_ms(), self._started) < _JOIN_MS:
            return STAT_CONNECTING
        return STAT_GOT_IP if board.current.wifi_in_range else STAT_NO_AP_FOUND
