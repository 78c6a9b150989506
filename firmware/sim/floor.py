"""The wet-floor probe's circuit: two electrodes on a floor that is dry, wet, cut off or bridged.

                                         +--- end resistor ---+
    drive_a --- series resistor ---+-----+------ floor -------+--- drive_b
                                   |
                                 sense (ADC)

Here: the voltage at `sense`, the comparator of a board that has one, and what flows through water.
Not here: what the voltage means, and the converter (`machine`).
"""

SUPPLY_UV = 3_300_000
_DRY_OHMS = 10_000_000  # a dry floor conducts next to nothing
# The sense pin's own leakage to ground, 3.3 V at 50 nA (ESP32 data sheet, table 15).
_LEAKAGE_OHMS = 66_000_000
# Where the comparator of a battery board switches: 0.65 of the supply, which is 88 kohm behind
# 47 kohm in series.
_COMPARATOR_UV = 2_150_000


class Floor:
    """The floor between the electrodes; its `ohms` change with the weather.

    A cut cable takes the end resistor in the probe's head with it, until `ohms` is set again.
    """

    def __init__(self, driver, pads, drive_a, drive_b):
        self._series = driver["series_ohms"]
        self._end = driver["end_ohms"]
        self._pads = pads
        self._drive_a = drive_a
        self._drive_b = drive_b
        self.ohms = _DRY_OHMS
        self.frozen = False  # the converter says half the supply, whatever is there

    def cut(self):
        """The cable is torn off: no current at all."""
        self.ohms = None

    def bridge(self):
        """A coin on the electrodes."""
        self.ohms = 0

    def comparator(self):
        """The level of its output: low while the line conducts as water does."""
        return 1 if self.sense_uv() > _COMPARATOR_UV else 0

    def water_ua(self):
        """The current through the water, not the end resistor, now, in microamperes: at rest it is
        direct current, which eats the electrodes."""
        if not self.ohms:
            return 0
        b = SUPPLY_UV if self._pads.out >> self._drive_b & 1 else 0
        return (self.sense_uv() - b) // self.ohms

    def sense_uv(self):
        """The voltage at the sense pin at this moment, in microvolts (Millman's theorem)."""
        out = self._pads.out
        a = SUPPLY_UV if out >> self._drive_a & 1 else 0
        b = SUPPLY_UV if out >> self._drive_b & 1 else 0
        if self.ohms == 0:
            return b
        current = a / self._series
        conductance = 1 / self._series + 1 / _LEAKAGE_OHMS
        if self.ohms is not None:
            over = 1 / self.ohms + 1 / self._end
            current += b * over
            conductance += over
        return int(current / conductance)
