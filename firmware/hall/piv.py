"""The sequence numbers of protected requests: never one twice under a key (RFC 8613, 7.2.1).

Here: blocks of numbers that are reserved on flash before the first of them is used (appendix B.1.1)
and, in between, the next number in RTC memory. A start that cannot trust RTC memory goes on behind
the block. Not here: where both memories are (journal.py, hal_sleep.py), what numbers protect.

If the journal has lost its count while the keys have been used, there is no number that would be
safe: the device asks to be enrolled again, which makes new keys.
"""

BLOCK = 8


class LostError(ValueError):
    """No number is safe with these keys."""


class Numbers:
    """`journal`: its reserve(). `marks`: used() and mark_used() of the keys (ident.py).
    `least`: the identity's own, above all that an earlier one with the same keys has used.
    `remember()`: puts `next` and `end` where they outlive a sleep. `kept`: (next, end) from there,
    or None when this start cannot trust it.
    """

    def __init__(self, journal, marks, remember, kept, least=0):
        self._journal = journal
        self._marks = marks
        self._remember = remember
        self._least = least
        self.next = self.end = 0
        if kept and journal.reserved is not None and kept[0] <= kept[1] <= journal.reserved:
            self.next, self.end = kept

    def take(self):
        """A number for one request. LostError; OSError: the flash takes nothing."""
        self.ready()
        number = self.next
        self.next = number + 1
        self._remember()
        return number

    def ready(self):
        """Makes sure that there is a number. Errors as of take()."""
        if self.next < self.end:
            return
        if self._journal.reserved is None and self._marks.used():
            raise LostError("oscore: the count of sequence numbers is lost, enrol again")
        first = self._journal.reserve(BLOCK, self._least)
        # After the journal, so that a cut between the two leaves a count and no mark.
        if not self._marks.used():
            self._marks.mark_used()
        self.next, self.end = first, first + BLOCK
