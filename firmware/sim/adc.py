"""An analog input of the chip with a probe on it, as `machine` has it. Not here: the circuit
(`floor`)."""

import random

import board
from micropython import const

# At 11 dB the ESP32's converter reads nothing nearer to the ends than this, calibrated, in
# microvolts. From memory; to be measured on the bench (tests/hardware, row 14). The profiles'
# check has the same two figures (hall_profiles.drivers.Probe).
_LOWEST = const(142_000)
_HIGHEST = const(3_130_000)


class ADC:
    ATTN_11DB = 3

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
        return min(max(step * full // 4095, _LOWEST), _HIGHEST)
