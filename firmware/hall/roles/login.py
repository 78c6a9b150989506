"""A clerk's card or PIN at the keypad: from frames to the events `card` and `pin`.

Here: the digits of a PIN, and the beeps. Not here: whose card it is, and whether a PIN is right;
the gateway knows. A PIN leaves this module only as HMAC-SHA256 under the key that the gateway gives
in the desired state, so that neither the journal nor the wire has it.
"""

from binascii import unhexlify

from ..mac import hmac

_CLEAR = 10  # the key *
_END = 11  # the key #
DIGITS_MAX = 12
PAUSE_MS = 10_000  # digits that are left unfinished so long are forgotten
CODE_BYTES = 6  # of the HMAC: a number that JSON holds exactly
OK_MS = 150
KEY_MS = 30
NO_MS = 700


class Login:
    """`reader` as drivers/wiegand.py has it; `keypad` beeps."""

    def __init__(self, reader, keypad, ctx):
        self._reader = reader
        self._keypad = keypad
        self._ctx = ctx
        self._key = None
        self._digits = b""
        self._at = 0

    def desire(self, desired):
        key = desired.get("pin_key")
        if key is not None and (type(key) is not str or len(key) != 32):
            raise ValueError("pin_key must be 32 hexadecimal digits")
        self._key = key and unhexlify(key)

    def step(self, now):
        if self._digits and now - self._at >= PAUSE_MS:
            self._digits = b""
        frame = self._reader.poll()
        if frame is None:
            return
        bits, data = frame
        if bits == 4:
            self._pressed(data, now)
        elif bits:
            self._ctx.emit("card", {"bits": bits, "code": data})
        else:
            self.answer(False, now)

    def answer(self, ok, now):
        """One beep, or two long ones: nobody is logged in or out."""
        self._keypad.beep(now, 0 if ok else NO_MS // 2, OK_MS if ok else NO_MS)

    def _pressed(self, key, now):
        self._at = now
        digits, self._digits = self._digits, b""
        if key < _CLEAR and len(digits) < DIGITS_MAX:
            self._digits = digits + bytes([48 + key])
            self._keypad.beep(now, 0, KEY_MS)
        elif key == _END and digits and self._key:
            code = hmac(self._key, digits)[:CODE_BYTES]
            self._ctx.emit("pin", {"code": int.from_bytes(code, "big")})
        elif key != _CLEAR:
            self.answer(False, now)
