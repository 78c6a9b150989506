"""How far the floor is below one zone of a distance sensor, and how much stands on it.

Here: the floor's distance, followed for years, and the height of what is above it, from one ranging
at a time. Not here: when that height is a person (`tof_lane`), and registers.

The floor is where the installer said (`floor_mm`), never nearer than `percent` of that: so neither
a person nor a cart is learnt, nor who stands below when the power comes. Within that it follows
what the zone sees while nobody is there, farther faster than nearer, as nothing is farther than the
floor. Integers only; the floor in sixteenths of a millimetre.
"""

# Ranging status as ST names them.
_VALID = 0
_WEAK = (1, 2)  # sigma fail, signal fail

_NEWS_MM = 10
_FARTHEST_PERCENT = 115  # of the setting: beyond is an echo of something else
_FIRST = 32  # rangings of which the first floor is the mean
_NEARER = 1  # sixteenths a reading: with 14 a second 0.9 mm a second
_FARTHER = 4

# A floor that is seen in eight of nine rangings for a while is one that is always seen.
_SURE = 240
_MOST_SURE = 255
_UNSURE_BY = 8
# What swallows the light of a floor that is always seen: after so many rangings it is somebody in
# black, and after so many more the floor itself has gone (sun, a wet mat).
_DARK_AFTER = 2
_DARK_UNTIL = 40


class FloorLevel:
    """One zone. `floor_mm` and `percent` as set; `least_mm`: lower than that is nothing."""

    def __init__(self, floor_mm, percent):
        self.floor_mm = floor_mm
        self.shown_mm = floor_mm  # the same, told in steps: not every millimetre is news
        self.mm = 0  # of the last ranging, and its status
        self.status = 255
        self.least_mm = floor_mm * (100 - percent) // 100
        self._nearest = floor_mm * percent // 100 << 4
        self._farthest = floor_mm * _FARTHEST_PERCENT // 100 << 4
        self._floor = floor_mm << 4
        self._learnt = 0
        self._sure = 0
        self._missed = 0  # rangings in a row that were not valid
        self._dark = False  # and the floor had been sure before them
        self._height = 0

    def height(self, mm, status):
        """Millimetres above the floor of what this ranging saw; 0: the floor, or nothing."""
        self.mm = mm
        self.status = status
        above = max(self.floor_mm - mm, 0)
        if status == _VALID:
            self._missed = 0
            self._height = above
            return above
        if not self._missed:
            self._dark = self._sure >= _SURE
        self._missed += 1
        if mm and status in _WEAK:
            # Three times as uncertain as a valid one, so only half of a rise is believed.
            self._height = min(above, (self._height + above) >> 1)
        elif self._dark and _DARK_AFTER <= self._missed < _DARK_UNTIL:
            self._height = max(self._height, self.floor_mm >> 1)
        else:
            self._height >>= 1
        return self._height

    def gone(self, other):
        """Whether it turns out now that the floor itself is not seen any more: it has been dark for
        too long, or went dark together with the `other` zone's, which no walker can do."""
        if not self._dark or self._missed < _DARK_AFTER:
            return False
        together = self._missed == _DARK_AFTER and 0 < other._missed <= _DARK_AFTER
        if not together and self._missed < _DARK_UNTIL:
            return False
        self._dark = other._dark = False
        self._height = other._height = 0
        return True

    def settle(self, quiet):
        """After each height(): learns from it; `quiet`: nobody has been there for a while."""
        if self.status != _VALID:
            self._sure = max(self._sure - _UNSURE_BY, 0)
            return
        seen = self.mm << 4
        if not self._nearest <= seen <= self._farthest:
            return
        if self._sure < _MOST_SURE:
            self._sure += 1
        if not quiet:
            return
        if self._learnt < _FIRST:
            self._learnt += 1
            self._floor += (seen - self._floor) // self._learnt
        elif seen > self._floor:
            self._floor += _FARTHER
        else:
            self._floor -= _NEARER
        self.floor_mm = self._floor >> 4
        if abs(self.floor_mm - self.shown_mm) >= _NEWS_MM:
            self.shown_mm = self.floor_mm
