"""Checked 64-byte slots on NOR flash: what the event journal is made of.

Here: a slot's bits, read, programmed and judged, and a sector's erase. Not here: the order in which
slots are written and what they mean together (journal.py). docs/journal.md has every bit.

Programming turns bits from 1 to 0 and erasing turns a whole sector's to 1. Both are read back: an
error of the chip and a wrong bit are the same False.
"""

import binascii
import struct

SIZE = 64
TEXT_MAX = 41  # bytes of text in one record
VERSION = 1

# What the first byte of a slot says, and what `record` answers.
FREE = 0xFF
EVENT = 0x45
ACK = 0x41
RESERVE = 0x52
VOID = 0x00  # given up for good: no program can make anything else of it
TORN = 0x01  # never written: the answer for a slot that does not check

ALL_VOID = bytes(SIZE)
_ALL_FREE = b"\xff" * SIZE

_MAGIC = b"HALJ"
_HEADER = "<4sHHIIIIII"
_NONE = 0xFFFFFFFF  # reserved: a header from before there was such a thing has ones there too
_RECORD = "<BBHIIBIH"
_TEXT_AT = 19
_CRC_AT = 60


class Header:
    """Slot 0 of a sector in use: how the journal stood when the sector was begun."""

    def __init__(
        self,
        sector,
        boot,
        epoch,
        generation,
        acked,
        next_seq,
        dropped,
        reserved=None,
        version=VERSION,
    ):
        self.sector = sector
        self.boot = boot
        self.epoch = epoch
        self.generation = generation
        self.acked = acked
        self.next = next_seq
        self.dropped = dropped
        self.reserved = reserved
        self.version = version


class Slots:
    """A partition as `sectors` times `slots`. ValueError: it is too small, or cut otherwise."""

    def __init__(self, block):
        self.sectors = block.ioctl(4, 0)
        size = block.ioctl(5, 0)
        if self.sectors < 3 or size < 4 * SIZE or size % SIZE:
            found = "%d sectors of %d bytes" % (self.sectors, size)
            raise ValueError("journal: needs 3 sectors of whole 64-byte slots, not " + found)
        self.slots = size // SIZE
        self.epoch = 0  # whose records check
        self.buffer = bytearray(SIZE)  # the slot read last
        self._body = memoryview(self.buffer)[:_CRC_AT]
        self._block = block

    def read(self, sector, slot):
        self._block.readblocks(sector, self.buffer, slot * SIZE)

    def program(self, sector, slot, data):
        """Whether the slot holds exactly `data` afterwards."""
        try:
            self._block.writeblocks(sector, data, slot * SIZE)
            self.read(sector, slot)
        except OSError:
            return False
        return self.buffer == data

    def erase(self, sector):
        """Whether the sector is blank afterwards."""
        try:
            self._block.ioctl(6, sector)
            for slot in range(self.slots):
                self.read(sector, slot)
                if self.buffer != _ALL_FREE:
                    return False
        except OSError:
            return False
        return True

    def begin(self, header):
        """Write the header of an erased sector."""
        slot = bytearray(_ALL_FREE)
        identity = (_MAGIC, header.version, header.boot, header.epoch, header.generation)
        reserved = _NONE if header.reserved is None else header.reserved
        counts = (header.acked, header.next, header.dropped, reserved)
        struct.pack_into(_HEADER, slot, 0, *(identity + counts))
        _seal(slot, 0)
        return self.program(header.sector, 0, slot)

    def headers(self):
        """Each sector's Header, or None where there is none that checks."""
        return [self._header(sector) for sector in range(self.sectors)]

    def _header(self, sector):
        self.read(sector, 0)
        if self.buffer[:4] != _MAGIC or not self._checks(0):
            return None
        _, version, boot, epoch, generation, *counts = struct.unpack_from(_HEADER, self.buffer)
        acked, next_seq, dropped, reserved = counts
        reserved = None if reserved == _NONE else reserved
        return Header(sector, boot, epoch, generation, acked, next_seq, dropped, reserved, version)

    def record(self, sector, slot):
        """Read a slot into the buffer: EVENT, ACK, RESERVE, FREE, VOID or TORN."""
        self.read(sector, slot)
        what = self.buffer[0]
        if what == VOID or (what == FREE and self.buffer == _ALL_FREE):
            return what
        known = what in (EVENT, ACK, RESERVE) and self.buffer[1] <= TEXT_MAX
        return what if known and self._checks(self.epoch) else TORN

    def seal(self, slot, what, boot, seq, text=b"", up=0, t=0):
        """Make `slot` the record of these; `up` and `t` are taken modulo 2**40 and 2**48 ms."""
        slot[:] = _ALL_FREE
        length = len(text)
        up_high, up = up >> 32 & 0xFF, up & 0xFFFFFFFF
        t_high, t = t >> 32 & 0xFFFF, t & 0xFFFFFFFF
        struct.pack_into(_RECORD, slot, 0, what, length, boot, seq, up, up_high, t, t_high)
        slot[_TEXT_AT : _TEXT_AT + length] = text
        _seal(slot, self.epoch)

    def unseal(self):
        """(boot, seq, up, t, text) of the record in the buffer."""
        _, length, boot, seq, up, up_high, t, t_high = struct.unpack_from(_RECORD, self.buffer)
        text = bytes(self.buffer[_TEXT_AT : _TEXT_AT + length])
        return boot, seq, up + (up_high << 32), t + (t_high << 32), text

    def boot_and_seq(self):
        return struct.unpack_from("<HI", self.buffer, 2)

    def _checks(self, seed):
        crc = struct.unpack_from("<I", self.buffer, _CRC_AT)[0]
        return crc == binascii.crc32(self._body, seed)


def _seal(slot, seed):
    # A record's CRC begins from its journal's epoch: an older journal's records do not check.
    struct.pack_into("<I", slot, _CRC_AT, binascii.crc32(memoryview(slot)[:_CRC_AT], seed))
