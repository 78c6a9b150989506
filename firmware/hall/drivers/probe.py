"""A resistive water probe: two electrodes on the floor, measured with alternating polarity.

                                         +--- end resistor ---+
    drive_a --- series resistor ---+-----+------ water -------+--- drive_b
                                   |
                                 sense (ADC)

Here: ohms from one pair of pulses. Direct current would eat the electrodes, so each measurement
drives both ways for the same time and then rests with both ends low. Not here: what is wet, and
when a chip that sleeps may leave a dry probe under voltage.
"""

from time import sleep_us

SETTLE_US = 200  # the series resistor with some 100 pF of cable, five time constants and room
SUPPLY_UV = 3_300_000
# Forward and backward reading add up to the supply. Further off than this, something else
# than the probe drives the line. A tenth covers the ends that the ADC does not reach.
IMBALANCE_UV = SUPPLY_UV // 10


class Probe:
    """`driver["series_ohms"]` in series; below `short_ohms` a short, above `open_ohms` a break.

    A dry floor is told from a cut cable by the end resistor in the probe's head. The ohms are those
    of water and end resistor in parallel. The ADC does not reach the ends of the supply, so a short
    does not read as 0 and a break not as infinite: the profile states what they read as.
    """

    def __init__(self, driver, pins, settings, hal):
        self.end_ohms = driver["end_ohms"]
        self._series = driver["series_ohms"]
        self._short = settings["short_ohms"]
        self._open = settings["open_ohms"]
        self._a = hal.output(pins["drive_a"], "high")
        self._b = hal.output(pins["drive_b"], "high")
        self._sense = hal.adc(pins["sense"])
        self.raw_uv = (0, 0)  # of the last measurement, forward and backward
        self._pins = pins

    def measure(self):
        """(ohms, fault): fault is None, "short", "open", or "range" when the readings disagree."""
        forward = self._pulse(self._a)
        backward = self._pulse(self._b)
        self.raw_uv = (forward, backward)
        if abs(forward + backward - SUPPLY_UV) > IMBALANCE_UV:
            return 0, "range"
        # Half the difference: an offset of the ADC or of the electrodes cancels out.
        over_probe = (SUPPLY_UV + forward - backward) // 2
        over_series = max(SUPPLY_UV - over_probe, 1)
        ohms = max(self._series * over_probe // over_series, 0)
        if ohms < self._short:
            return ohms, "short"
        if ohms > self._open:
            return ohms, "open"
        return ohms, None

    def arm(self):
        """((wake pin, level), {pin: level to hold}) for a sleep that water ends; None without the
        pin `wake`, on which a comparator says by a low level that the line conducts as water does.

        This is direct current: for a dry probe only, through whose end resistor it flows.
        """
        if "wake" not in self._pins:
            return None
        return (self._pins["wake"], 0), {self._pins["drive_a"]: 1, self._pins["drive_b"]: 0}

    def _pulse(self, drive):
        drive.on()
        sleep_us(SETTLE_US)
        volts = self._sense.read_uv()
        drive.off()
        return volts
