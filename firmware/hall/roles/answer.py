"""What a customer sees and hears of a keypad: its lamps, its buzzer and its voice line.

Here: each for as long as it lasts. Not here: what a press is answered with (keypad.py).
"""

IDENTIFY_MS = 10_000
VOICE_MS = 200  # a voice module takes a line that is active for this long as pushed


class Answer:
    """`keys` as drivers/keys.py has them; masks of keys, bit 0 is key 1."""

    def __init__(self, keys):
        self._keys = keys
        self._flash = 0
        self._flash_until = 0
        self._beeps = (0, 0, 0)  # begins of a beep and of a second one, and their length
        self._voice_until = 0
        self._identify_until = 0
        self._lamps_on = 0
        self._buzzer_on = self._voice_on = False
        keys.lamp(None, False)
        keys.buzzer(False)

    def flash(self, now, mask, length):
        self._flash = mask
        self._flash_until = now + length

    def beep(self, now, pause, length):
        """Two beeps of `length` ms, the second `pause` ms after the first; 0: only one."""
        self._beeps = (now, now + length + pause if pause else now, length)

    def speak(self, now):
        self._voice_until = now + VOICE_MS

    def identify(self, now):
        self._identify_until = now + IDENTIFY_MS

    def show(self, now, lamps):
        """Brings all outputs up to `now`; `lamps` are lit where nothing else is shown."""
        first, second, length = self._beeps
        buzzer = first <= now < first + length or second <= now < second + length
        left = self._identify_until - now
        if left > 0:
            buzzer = left // 250 & 3 == 1
            lamps = (1 << self._keys.count) - 1 if left // 250 & 1 else 0
        if now < self._flash_until:
            lamps = self._flash
        changed = lamps ^ self._lamps_on
        if changed:
            self._lamps_on = lamps
            for index in range(self._keys.count):
                if changed >> index & 1:
                    self._keys.lamp(index + 1, lamps >> index & 1)
        if buzzer != self._buzzer_on:
            self._buzzer_on = buzzer
            self._keys.buzzer(buzzer)
        voice = now < self._voice_until
        if voice != self._voice_on:
            self._voice_on = voice
            self._keys.voice(voice)
