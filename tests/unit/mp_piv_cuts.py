"""Cuts the power at every flash operation and at every write to RTC memory of a device that sends:
no sequence number is ever sent twice under its key. Prints what was cut. Argument: the seed.

A cut clears RTC memory; a crash of the chip, in the same places, keeps it. After each, the device
starts again, sends, and is cut or falls over again at one of the next operations.
"""

import json
import random
import sys

from hall.journal import Journal, UnformattedError
from hall.piv import BLOCK, LostError, Numbers
from nor_flash import MODES, NorFlash, PowerCut

ROUNDS = 1200
counts = {"cuts": 0, "crashes": 0, "sleeps": 0, "sent": 0, "blocks": 0}


class Crash(BaseException):
    """The chip starts again, and RTC memory is as it was."""


class Marks:
    """The identity's mark, on flash of its own that is cut like the other."""

    def __init__(self, flash):
        self.flash = flash

    def used(self):
        buffer = bytearray(16)
        for block in range(2):
            self.flash.readblocks(block, buffer, 4080)
            if buffer != b"\xff" * 16:
                return True
        return False

    def mark_used(self):
        for block in range(2):
            self.flash.writeblocks(block, bytes(16), 4080)


class Device:
    def __init__(self):
        self.journal_flash = NorFlash(4, 512, random)
        self.ident_flash = NorFlash(2, 4096, random)
        self.rtc = None
        self.sent = set()
        self.high = -1
        self.until = None  # operations and RTC writes until the next interruption
        self.kind = None
        for flash in (self.journal_flash, self.ident_flash):
            flash.before_operation = self.operation
        Journal.format(self.journal_flash, 7)

    def operation(self, kind, offset, data):
        if self.interrupted():
            if self.kind is PowerCut:
                flash = self.journal_flash if len(data or b"") != 16 else self.ident_flash
                flash.tear(kind, offset, data, random.choice(MODES))
            raise self.kind

    def interrupted(self):
        if self.until is None:
            return False
        self.until -= 1
        return self.until < 0

    def remember(self):
        if self.interrupted():
            if random.getrandbits(1):
                self.rtc = (self.numbers.next, self.numbers.end)  # written just before
            raise self.kind
        self.rtc = (self.numbers.next, self.numbers.end)

    def live(self, sends):
        """One life: mounts, sends, and sleeps, with events in between that fill the ring."""
        journal = Journal(self.journal_flash, lambda: 0)
        self.numbers = Numbers(journal, Marks(self.ident_flash), self.remember, self.rtc)
        for _ in range(sends):
            if random.getrandbits(2) == 0:
                journal.append("dry", {"ohms": random.getrandbits(20)})
            before = journal.reserved
            number = self.numbers.take()
            counts["blocks"] += journal.reserved != before
            # From here on the number is on the air.
            assert number not in self.sent, ("sent twice", number)
            assert number > self.high, ("goes back", number, self.high)
            self.sent.add(number)
            self.high = number
            counts["sent"] += 1
            journal.ack(7, journal.next - 1)
        journal.flush_ack()

    def power(self):
        for flash in (self.journal_flash, self.ident_flash):
            flash.power_on()


random.seed(int(sys.argv[1]))
device = Device()
for turn in range(ROUNDS):
    device.kind = PowerCut if turn % 3 else Crash
    device.until = random.randint(0, 30) if turn % 7 else None
    try:
        device.live(random.randint(1, 12) if turn % 5 else 2 * BLOCK)
        counts["sleeps"] += 1
    except PowerCut:
        counts["cuts"] += 1
        device.rtc = None
    except Crash:
        counts["crashes"] += 1
    device.until = None
    device.power()

# A journal that was formatted, or lost, with keys that have been used: not one number more.
Journal.format(device.journal_flash, 8)
fresh = Journal(device.journal_flash, lambda: 0)
for kept in (None, device.rtc, (0, BLOCK)):
    try:
        Numbers(fresh, Marks(device.ident_flash), device.remember, kept).take()
        raise AssertionError("a number after the count was lost")
    except LostError:
        pass
# New keys, whose identity has no mark, begin at once.
marks = Marks(NorFlash(2, 4096, random))
device.numbers = Numbers(fresh, marks, lambda: None, None)
assert device.numbers.take() == 0
assert marks.used()
# The same keys on a board whose journal was thrown away: an image that was built later says where
# to begin, and the journal keeps to it.
for start in (5000, 5000, 0):
    again = Numbers(fresh, Marks(NorFlash(2, 4096, random)), lambda: None, None, start)
    assert again.take() >= 5000
assert again.take() == 5000 + 2 * BLOCK + 1
try:
    Journal(NorFlash(4, 512, random), lambda: 0)
except UnformattedError:
    print(json.dumps(counts))
