"""The wet-floor probe's circuit: two electrodes on a floor that is dry, wet, cut off or bridged.

    drive_a --- series resistor ---+--- electrode a ~ floor ~ electrode b --- drive_b
                                   |
                                 sense (ADC)

Here: the voltage at `sense`. Not here: what the voltage means, and the converter (`machine`).
"""

SUPPLY_UV = 3_300_000
# A dry floor conducts nothing, but a resistor across the far end tells it from a cut cable.
_DRY_OHMS = 10_000_000
# The sense pin's own leakage to ground, 3.3 V at 50 nA (ESP32 data sheet, table 15).
_LEAKAGE_OHMS = 66_000_000


class Floor:
    """The floor between the electrodes; `ohms` changes with the weather."""

    def __init__(self, series_ohms, pads, drive_a, drive_b):
        self._series = series_ohms
        self._pads = pads
        self._drive_a = drive_a
        self._drive_b = drive_b
        self.ohms = _DRY_OHMS

    def cut(self):
        """The cable is torn off: no current at all."""
        self.ohms = None

    def bridge(self):
        """A coin on the electrodes."""
        self.ohms = 0

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
            current += b / self.ohms
            conductance += 1 / self.ohms
        return int(current / conductance)
