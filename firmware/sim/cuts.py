"""A power cut in the midst of the flash chip's work, for a device whose host asks for this module.

{"cut": n, "how": "before" | "torn" | "after"}: the n-th operation from now is the last thing that
this device does: not begun, half done, or done and nobody told; {"cut": 0} takes it back. As it
ends, {"cut": how, "op": "program" | "erase", "address": a}.

The host asks in the environment, HALL_SIM_CUT="12 torn" also for operations of the start, which no
line comes in time for, or with "0" alone. An operation is the program of at most a page of 256
bytes, or an erase of whole sectors. Here: that end. Not here: the rules of flash (`flash`), nor
that RTC memory goes too, which is the host's part as it is at every power cut.
"""

import board
from power import die
from report import emit

_HOW = ("before", "torn", "after")


class Cut:
    """Ends the process at operation number `left` of `flash`, counted from 1."""

    def __init__(self, flash, left, how):
        self._flash = flash
        self._left = left
        self._how = how

    def program(self, address, stored, data):
        """Before `data` is written over `stored`, which has no bit clear that is set in `data`."""
        if self._due():
            half = len(data) // 2
            if self._how == "after":
                self._flash.write(address, data)
            elif self._how == "torn":
                # The byte in the middle with half of its bits.
                middle = data[half] | stored[half] & 0x55
                self._flash.write(address, bytes(data[:half]) + bytes([middle]))
            self._end("program", address)

    def erase(self, address, length):
        """Before these bytes are set to ones."""
        if self._due():
            if self._how == "after":
                self._flash.blank(address, length)
            elif self._how == "torn":
                self._flash.blank(address, length // 2)
            self._end("erase", address)

    def _due(self):
        self._left -= 1
        return self._left == 0

    def _end(self, op, address):
        emit({"cut": self._how, "op": op, "address": address})
        die()


def arm(asked):
    """What the environment says: "0", or "12 torn"."""
    board.current.deeds["cut"] = _cut
    left, _, how = asked.partition(" ")
    _cut(int(left), {"how": how})


def _cut(left, told):
    how = told.get("how")
    if type(left) is not int or left < 0 or (left and how not in _HOW):
        raise ValueError("neither 0 nor a number of operations with before, torn or after")
    flash = board.current.flash
    flash.cut = Cut(flash, left, how) if left else None
