"""The keys, lamps, buzzer and voice line of an evaluation keypad.

Here: which pin is which key. Not here: debouncing and everything else that needs time, and keys in
a matrix (keys_matrix.py).
"""


class Lamps:
    """What a keypad answers with: the lamps of its keys on lamp_1.., a buzzer, and perhaps a voice
    module, which begins to speak when its line is pulsed. All are lit by a high pin.

    `bad` are the keys with a mark that asks for a reason, `reasons` those that then stand for one;
    both are masks, bit 0 is key 1.
    """

    def __init__(self, driver, pins, hal):
        self.count = driver["keys"]
        self.bad = 0
        for index, mark in enumerate(driver["marks"]):
            self.bad |= (mark < 3) << index
        self.reasons = (1 << len(driver.get("reasons") or ())) - 1
        numbers = range(1, self.count + 1)
        self._lamps = [hal.output(pins["lamp_%d" % n], "high") for n in numbers]
        self._buzzer = hal.output(pins["buzzer"], "high")
        self._voice = hal.output(pins["voice"], "high") if "voice" in pins else None

    def lamp(self, key, on):
        """Lights key 1..count, or every key when `key` is None."""
        for lamp in self._lamps if key is None else (self._lamps[key - 1],):
            _switch(lamp, on)

    def buzzer(self, on):
        _switch(self._buzzer, on)

    def voice(self, on):
        if self._voice:
            _switch(self._voice, on)


class Keys(Lamps):
    """`driver["keys"]` keys on the pins key_1..; `driver["active"]` is the level of a key that is
    down."""

    def __init__(self, driver, pins, hal):
        super().__init__(driver, pins, hal)
        numbers = range(1, self.count + 1)
        self._keys = [hal.input(pins["key_%d" % n], driver["active"]) for n in numbers]

    def read(self):
        """The keys that are down now, bounces and all: bit 0 is key 1."""
        down = 0
        bit = 1
        for key in self._keys:
            if key.value():
                down |= bit
            bit <<= 1
        return down


def _switch(output, on):
    if on:
        output.on()
    else:
        output.off()
