"""The keys, lamps and buzzer of an evaluation keypad.

Here: which pin is which key. Not here: debouncing and everything else that needs time.
"""


class Keys:
    """`driver["keys"]` keys on the pins key_1.., their lamps on lamp_1.., and a buzzer.

    `driver["active"]` is the level of a key that is down; lamps and buzzer are lit by a high pin.
    """

    def __init__(self, driver, pins, hal):
        numbers = range(1, driver["keys"] + 1)
        self.count = driver["keys"]
        self._keys = [hal.input(pins["key_%d" % n], driver["active"]) for n in numbers]
        self._lamps = [hal.output(pins["lamp_%d" % n], "high") for n in numbers]
        self._buzzer = hal.output(pins["buzzer"], "high")

    def read(self):
        """The keys that are down now, bounces and all: bit 0 is key 1."""
        down = 0
        bit = 1
        for key in self._keys:
            if key.value():
                down |= bit
            bit <<= 1
        return down

    def lamp(self, key, on):
        """Lights key 1..count, or every key when `key` is None."""
        lamps = self._lamps if key is None else (self._lamps[key - 1],)
        for lamp in lamps:
            if on:
                lamp.on()
            else:
                lamp.off()

    def buzzer(self, on):
        if on:
            self._buzzer.on()
        else:
            self._buzzer.off()
