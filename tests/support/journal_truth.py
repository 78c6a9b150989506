"""What the world knows about a journal, and the promises that every mount of it must keep.

Runs in MicroPython and in CPython. A test does everything to its journal through `Truth`, which
notes what each call promised; `check` holds a journal that was mounted after a cut against it.
"""

ALL = 1 << 30


class Truth:
    def __init__(self, epoch):
        self.epoch = epoch
        self.events = {}  # seq: the event, once append returned or a mount showed it
        self.pending = None  # the event of an append that has not returned
        self.next = 1
        self.acked = 0  # the highest ack ever taken
        self.known = 0  # what the journal at work takes for acked: lower after a cut
        self.durable = 0  # what no mount may fall below
        self.oldest = 1  # the first seq that the ring still held
        self.dropped = 0
        self.boot = 0
        self.given = 0  # numbers below it were reserved

    def copy(self):
        other = Truth(self.epoch)
        for name in self.__dict__:
            setattr(other, name, getattr(self, name))
        other.events = dict(self.events)
        return other

    # Doing

    def append(self, journal, kind, data, up, t):
        """`up` and `t` are what the journal's clocks say now."""
        event = {"epoch": self.epoch, "seq": self.next, "boot": journal.boot, "up": up, "t": t}
        event.update({"kind": kind, "data": data})
        self.pending = event
        seq = journal.append(kind, data)
        assert seq == self.next, ("append gave", seq, "after", self.next - 1)
        self.pending = None
        self.events[seq] = event
        self.next = seq + 1
        self._count_dropped(journal)

    def ack(self, journal, seq):
        new = self.known < seq < self.next
        if new:
            self.acked = max(self.acked, seq)
        assert journal.ack(self.epoch, seq) == new, (seq, self.known, self.next)
        if new:
            self.known = seq

    def flush_ack(self, journal):
        journal.flush_ack()
        self.durable = max(self.durable, self.known)
        self._count_dropped(journal)

    def reserve(self, journal, count):
        first = journal.reserve(count)
        assert first >= self.given, ("numbers given out again from", first, "of", self.given)
        self.given = first + count
        self._count_dropped(journal)

    def _count_dropped(self, journal):
        first = journal.peek(0, 1)
        oldest = first[0]["seq"] if first else self.next
        self.dropped += max(0, oldest - max(self.oldest, self.known + 1))
        self.oldest = oldest
        assert journal.dropped == self.dropped, (journal.dropped, self.dropped)
        self._forget()

    def _forget(self):
        for seq in [seq for seq in self.events if seq < self.oldest]:
            del self.events[seq]

    # Judging

    def check(self, journal):
        """Hold a fresh mount against the promises, then go on from what it says."""
        assert journal.epoch == self.epoch, "another epoch"
        assert (journal.reserved or 0) >= self.given, ("reserved", journal.reserved, self.given)
        assert self.durable <= journal.acked <= self.acked, (
            "acked",
            journal.acked,
            "of",
            self.durable,
            self.acked,
        )
        held = journal.peek(0, ALL)
        oldest = held[0]["seq"] if held else journal.next
        assert oldest >= self.oldest, ("came back", oldest, self.oldest)
        if self.pending and held and held[-1] == self.pending:
            self.events[self.next] = self.pending
            self.next += 1
        self.pending = None
        assert journal.next == self.next, ("next", journal.next, "not", self.next)
        for i in range(len(held)):
            assert held[i]["seq"] == oldest + i, ("hole before", held[i], oldest + i)
            assert held[i] == self.events[oldest + i], (held[i], self.events[oldest + i])
        assert oldest + len(held) == self.next, ("lost", oldest + len(held), self.next)
        lost = journal.dropped - self.dropped
        least = max(0, oldest - max(self.oldest, self.acked + 1))
        most = max(0, oldest - max(self.oldest, self.known + 1))
        assert least <= lost <= most, ("dropped", lost, least, most)
        assert journal.oldest == max(oldest, journal.acked + 1), (journal.oldest, oldest)
        assert journal.depth == self.next - journal.oldest, journal.depth
        boots = [event["boot"] for event in held]
        assert journal.boot not in boots, "a boot number was used again"
        self.dropped = journal.dropped
        self.oldest = oldest
        self.known = self.durable = journal.acked
        self._forget()
