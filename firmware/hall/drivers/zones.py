"""A distance sensor above a lane, read as the beam pair that its two zones stand for."""


class Zones:
    """A zone is broken while it sees something nearer than `head_percent` of `floor_mm`."""

    def __init__(self, settings, sensor):
        self._sensor = sensor
        self._limit = settings["floor_mm"] * settings["head_percent"] // 100
        self._broken = [0, 0]

    def read(self):
        """(a_broken, b_broken) as 0 or 1, of the last valid ranging of each."""
        ranging = self._sensor.poll()
        if ranging and not ranging[2]:
            self._broken[ranging[0]] = 1 if ranging[1] < self._limit else 0
        return self._broken[0], self._broken[1]
