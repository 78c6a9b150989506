"""The event journal: a ring of flash sectors from which no power cut takes an event.

Here: the ring of docs/journal.md, from mount to roll-over. Not here: the bits of a slot (slots.py),
hardware (the block object is an esp32.Partition, or anything with its methods), when an event is
sent (link.py), and what a kind of event means.
"""

import json

from . import slots
from .slots import ACK, EVENT, FREE, RESERVE, TEXT_MAX, Header, Slots

_U32 = 0xFFFFFFFF
_ACK_EVERY = 32  # acknowledged events between two records of it


class UnformattedError(OSError):
    """The partition holds no journal: `Journal.format` makes one."""


class Journal:
    """One mounted ring. Nothing else may write to its partition meanwhile.

    `uptime()` gives ms since boot; `unix_ms()` gives unix ms, or None while the clock is not set.
    `boot`: that of an earlier mount which this one goes on with, after a sleep; None begins one.
    Raises UnformattedError; OSError for another version's journal; ValueError for a partition that
    cannot hold a ring.

    `epoch` names the journal and `boot` this mount of it; `next` is the seq of the next event and
    `acked` the last acknowledged one; `reserved` is the first number that reserve() has not given
    out, None when it has never been asked. `dropped` counts the events overwritten unacked since
    the format; `torn` the slots that took no record since the mount; `lost` the events that
    append() could not take since the mount.
    """

    def __init__(self, block, uptime, unix_ms=lambda: None, boot=None):
        self._uptime = uptime
        self._unix_ms = unix_ms
        self._flash = flash = Slots(block)
        self._record = bytearray(slots.SIZE)
        headers = flash.headers()
        header = _newest(headers)
        if header is None:
            raise UnformattedError("journal: the partition holds no journal")
        if header.version != slots.VERSION:
            found = (header.version, slots.VERSION)
            raise OSError("journal: version %d is on flash, this firmware has %d" % found)
        self.epoch = flash.epoch = header.epoch
        self.boot = header.boot
        self.acked = header.acked
        self.next = header.next
        self.dropped = header.dropped
        self.reserved = header.reserved
        self.torn = self.lost = 0
        self._active = header.sector
        self._generation = header.generation
        self._slot = 1  # of the active sector, the next to write
        self._spare = None  # the sector after the active one: True erased, False worn out
        self._wake = boot is not None
        self._first = self._find_ring(headers)
        self._replay(headers)
        self.boot = (self.boot + 1) & 0xFFFF if boot is None else boot
        self._durable = self.acked  # what a mount would find

    @staticmethod
    def format(block, epoch):
        """Begin a new, empty journal named `epoch` (a random u32, not 0).

        What the partition held is whole until the last write, and gone after it. OSError: no sector
        can be written.
        """
        if not 0 < epoch <= _U32:
            raise ValueError("journal: epoch %d is not in 1..%d" % (epoch, _U32))
        flash = Slots(block)
        newest = _newest(flash.headers())
        active, generation = (newest.sector, newest.generation) if newest else (-1, 0)
        for step in range(1, flash.sectors):
            sector = (active + step) % flash.sectors
            header = Header(sector, 0, epoch, (generation + step) & _U32, 0, 1, 0)
            if flash.erase(sector) and flash.begin(header):
                return
        raise OSError("journal: no sector of the partition can be written")

    # Appending

    def append(self, kind, data):
        """Journal an event now; its seq. It is on flash, and was read back, when this returns.

        `kind` is a word, `data` a dict that becomes JSON. ValueError: they are not, or are together
        longer than TEXT_MAX bytes. OSError: no sector takes it any more. Whatever it raises, the
        event is lost, and counted.
        """
        try:
            return self._append(kind, data)
        except Exception:
            self.lost += 1
            raise

    def _append(self, kind, data):
        if not kind or "{" in kind or not isinstance(data, dict):
            raise ValueError("journal: an event is a kind and a dict, not %r %r" % (kind, data))
        text = (kind + json.dumps(data, separators=(",", ":"))).encode()
        if len(text) > TEXT_MAX:
            raise ValueError("journal: %s is %d bytes of %d" % (kind, len(text), TEXT_MAX))
        seq = self.next
        if seq == _U32:
            raise OSError("journal: the sequence numbers are used up, format it")
        t = self._unix_ms() or 0
        self._flash.seal(self._record, EVENT, self.boot, seq, text, self._uptime(), t)
        self._put()
        self.next = seq + 1
        return seq

    def prepare(self):
        """Erase the spare sector, so that no later append has to wait for it; True when it did.

        For idle moments: an erase stops the chip for some 45 ms. In the first half of a sector this
        does nothing. A mount cannot trust an earlier boot's erase, and so restarts would wear out
        one sector; wakes, which are a thousand a day, do nothing here at all.
        """
        if self._wake or self._spare is not None or self._slot * 2 < self._flash.slots:
            return False
        self._spare = self._flash.erase((self._active + 1) % self._flash.sectors)
        return True

    def _put(self):
        """Write the record into the next slot that takes it, however many sectors that needs."""
        for _ in range(self._flash.sectors):
            while self._slot < self._flash.slots:
                if self._write():
                    return
            self._roll()
        raise OSError("journal: no slot of the partition can be written")

    def _write(self):
        slot = self._slot
        self._slot = slot + 1
        if self._flash.program(self._active, slot, self._record):
            return True
        self.torn += 1
        return False

    def _roll(self):
        """Go on in the spare sector, and make a spare of the oldest.

        The header is the moment at which the oldest sector leaves the ring; it is erased later.
        A worn spare is passed over, and then the oldest sector has to be erased at once.
        """
        flash = self._flash
        for step in range(1, flash.sectors - 1):
            sector = (self._active + step) % flash.sectors
            self._drop(sector)
            if step > 1 or self._spare is None:
                self._spare = flash.erase(sector)
            if not self._spare:
                continue
            self._drop((sector + 1) % flash.sectors)
            generation = (self._generation + step) & _U32
            counts = (self.acked, self.next, self.dropped, self.reserved)
            if flash.begin(Header(sector, self.boot, self.epoch, generation, *counts)):
                self._active = sector
                self._generation = generation
                self._first[sector] = self.next
                self._slot = 1
                self._spare = None
                self._durable = self.acked
                return
        self._spare = None
        raise OSError("journal: no sector of the partition can be written")

    def _drop(self, sector):
        """Take the oldest sector out of the ring; its unacked events are lost, and counted."""
        first = self._first[sector]
        if first:
            self._first[sector] = 0
            end = min([other for other in self._first if other] + [self.next])
            self.dropped += max(0, end - max(first, self.acked + 1))

    # Acknowledging

    def ack(self, epoch, seq):
        """Every event up to `seq` has reached its place; False when that says nothing new.

        Another journal's epoch, an old seq and one never given out are ignored.
        """
        if epoch != self.epoch or not self.acked < seq < self.next:
            return False
        self.acked = seq
        if seq - self._durable >= _ACK_EVERY and self._slot < self._flash.slots:
            self._mark()
        return True

    def flush_ack(self):
        """Put `acked` on flash, before a planned reset; what a mount forgets is only sent again.

        OSError: no sector can be written any more.
        """
        if self._durable == self.acked:
            return
        if self._slot < self._flash.slots:
            self._mark()
        else:
            self._roll()

    def _mark(self):
        self._flash.seal(self._record, ACK, self.boot, self.acked)
        if self._write():
            self._durable = self.acked

    # Numbers that are used once

    def reserve(self, count, least=0):
        """The first of `count` numbers, all `least` or more, that this journal never gives out
        again, whatever is cut when; a format begins anew.

        OSError: no sector can be written any more, or the numbers are used up.
        """
        first = max(self.reserved or 0, least)
        end = first + count
        if end >= _U32:
            raise OSError("journal: no numbers are left to reserve")
        self._flash.seal(self._record, RESERVE, self.boot, end)
        self._put()
        self.reserved = end
        return first

    # Reading

    @property
    def oldest(self):
        """The oldest unacked seq that can be read; `next` when there is none.

        When it is above `acked` + 1, the events between are lost: overwritten, or gone bad.
        """
        for seq in self._events(self.acked):
            return seq
        return self.next

    @property
    def depth(self):
        """How many events wait for their acknowledgement."""
        return self.next - self.oldest

    def peek(self, after, count):
        """Up to `count` events with a seq above `after`, oldest first, as they go on the wire."""
        events = []
        for _ in self._events(after):
            events.append(self._event())
            if len(events) >= count:
                break
        return events

    def _events(self, after):
        """Each seq above `after`, while its record is in the flash's buffer."""
        flash = self._flash
        ring = []
        for distance in range(flash.sectors - 2, -1, -1):
            sector = (self._active - distance) % flash.sectors
            first = self._first[sector]
            if first:
                if first <= after + 1:
                    ring = []  # nothing before this sector is above `after`
                ring.append(sector)
        for sector in ring:
            end = self._slot if sector == self._active else flash.slots
            # What begins the next sector ends this one: a record beyond that is not of this place.
            limit = min(
                [first for first in self._first if first > self._first[sector]] + [self.next]
            )
            # Seqs rise by one and each has a slot of its own: the next cannot stand before this.
            for slot in range(1 + max(0, after + 1 - self._first[sector]), end):
                if flash.record(sector, slot) == EVENT:
                    seq = flash.boot_and_seq()[1]
                    if after < seq < limit:
                        after = seq
                        yield seq

    def _event(self):
        boot, seq, up, t, text = self._flash.unseal()
        try:
            text = text.decode()
        except UnicodeError:
            text = "unreadable{}"  # its CRC is right by chance: the gateway says what came
        brace = text.find("{")
        data = text[brace:]
        try:
            data = json.loads(data)
        except ValueError:
            pass  # nan, for one, is no JSON: the text goes up, and is refused there by name
        event = {"epoch": self.epoch, "seq": seq, "boot": boot, "up": up, "t": t or None}
        event["kind"] = text[:brace]
        event["data"] = data
        return event

    # Mounting

    def _find_ring(self, headers):
        """The seq that each sector of the ring begins with; 0 for a sector that is not in it.

        A sector is in the ring when its generation is as far behind the active one's as its place
        is; what a worn sector still shows from an earlier round is not.
        """
        firsts = [0] * len(headers)
        for distance in range(len(headers) - 1):
            sector = (self._active - distance) % len(headers)
            header = headers[sector]
            generation = (self._generation - distance) & _U32
            if header and header.epoch == self.epoch and header.generation == generation:
                firsts[sector] = header.next
        return firsts

    def _replay(self, headers):
        """Read on from the active header, and settle what a cut left undecided."""
        flash = self._flash
        good = 0  # the last slot that checks
        for slot in range(1, flash.slots):
            what = self._learn(self._active, slot)
            if what in (EVENT, ACK, RESERVE):
                good = slot
            if what != FREE:
                self._slot = slot + 1
        for sector, header in enumerate(headers):
            if header is None:  # once active, perhaps: the seqs in it were given out
                for slot in range(1, flash.slots):
                    self._learn(sector, slot)
        if self._wake:  # no cut ends a sleep, and a slot a wake would push out what waits
            return
        # Bits that a cut left halfway may read otherwise next time. So the last good slot is
        # written again; what follows it, and the next free slot, which may be begun, become void.
        flash.read(self._active, good)
        flash.program(self._active, good, bytes(flash.buffer))
        self._slot = min(self._slot + 1, flash.slots)
        for slot in range(good + 1, self._slot):
            flash.program(self._active, slot, slots.ALL_VOID)

    def _learn(self, sector, slot):
        what = self._flash.record(sector, slot)
        if what == RESERVE:
            self.reserved = max(self.reserved or 0, self._flash.boot_and_seq()[1])
        elif what in (EVENT, ACK):
            boot, seq = self._flash.boot_and_seq()
            if seq >= self.next:
                self.next = seq + 1
                self.boot = boot
            if what == ACK:
                self.acked = max(self.acked, seq)
        return what


def _newest(headers):
    """The header with the highest generation, compared as RFC 1982 does, or None."""
    newest = None
    for header in filter(None, headers):
        if newest is None or (header.generation - newest.generation) & _U32 < 1 << 31:
            newest = header
    return newest
