"""The lane of a people counter: who walks through it, and where they are at a moment.

Here: bodies and their way. Not here: how a sensor sees them (`vl53l1x`, `ld2450`; beams are
contacts of their own, `contact`).
"""

# A standing adult, in mm: the head is narrower than the shoulders (DIN 33402-2, medians, rounded).
_TIERS = ((1700, 90), (1400, 140))  # height, half of the depth
# The way counts from where a zone-sensing sensor 2.4 m up first sees a shoulder to where it last
# does; somebody who turns back gets this share of it beyond the middle.
HALF_WAY_MM = 310
_TURN_SHARE = 0.3


class Lane:
    """People walk along x: outside is minus, inside plus, the middle of the doorway 0.

    `stretch`: how many times longer than above the way is that a sensor sees.
    """

    def __init__(self, stretch=1):
        self.stretch = stretch
        self._walks = []

    def walk(self, direction, start, end, turns):
        """Somebody goes from one end of the way to the other, or turns and goes back (us)."""
        self._walks.append((start, end, 1 if direction == "in" else -1, turns))

    def places(self, now):
        """Each body's x at `now`, in mm."""
        self._walks = [each for each in self._walks if each[1] > now]
        half = HALF_WAY_MM * self.stretch
        return [int(_place(each, now) * half) for each in self._walks if each[0] <= now]

    def height(self, low, high, now):
        """mm above the floor of what is highest between x `low` and `high` (mm): 0 is the floor."""
        highest = 0
        for x in self.places(now):
            for height, half in _TIERS:
                if height > highest and x - half < high and x + half > low:
                    highest = height
        return highest


def _place(walk, now):
    start, end, sign, turns = walk
    gone = (now - start) / (end - start)
    if turns:
        back = gone if gone < 0.5 else 1 - gone
        return sign * (-1 + 2 * back * (1 + _TURN_SHARE))
    return sign * (2 * gone - 1)
