"""The keys of an evaluation keypad between rows that are driven and columns that are read.

Here: one look at the whole matrix, and what of it can be believed. Lamps and buzzer are those of
keys.py. Not here: debouncing.

There are no diodes: with three keys of a rectangle down the current finds its way through all
three, and the fourth reads as down too (ghosting). Which of the four is the ghost cannot be known,
but that several keys are down can: that is what is reported.
"""

from time import sleep_us

from .keys import Lamps

# A column's own pull-up (45 kohm) lifts 200 pF of cable in 9 us from one row to the next.
SETTLE_US = 20


class KeysMatrix(Lamps):
    """Key 1 is row_1 and column_1, key 2 row_1 and column_2, and so on."""

    def __init__(self, driver, pins, hal):
        super().__init__(driver, pins, hal)
        self._rows = [hal.open_drain(pins["row_%d" % (n + 1)]) for n in range(driver["rows"])]
        columns = range(1, driver["columns"] + 1)
        self._columns = [hal.input(pins["column_%d" % n], "low") for n in columns]
        self._all = (1 << self.count) - 1
        self._believed = 0

    def read(self):
        """The keys that are down now, bounces and all: bit 0 is key 1. While the matrix cannot tell
        which they are, those it could tell last; if it has not seen two, all that may be down."""
        masks = [0] * len(self._rows)
        down = self._scan(masks)
        believed = self._believed
        # A contact that bounced between two rows would be a key that nobody touched.
        if down != self._scan(masks) or (_rectangle(masks) and believed & (believed - 1)):
            return believed
        self._believed = down
        return down

    def _scan(self, masks):
        down = 0
        bit = 1
        for index, row in enumerate(self._rows):
            row.on()
            sleep_us(SETTLE_US)
            masks[index] = 0
            at = 1
            for column in self._columns:
                if column.value():
                    down |= bit
                    masks[index] |= at
                bit <<= 1
                at <<= 1
            row.off()
        return down & self._all


def _rectangle(masks):
    """Whether two rows have two columns in common."""
    for index, one in enumerate(masks):
        for other in masks[:index]:
            both = one & other
            if both & (both - 1):
                return True
    return False
