"""A flash chip as a file, with the rules of NOR flash.

Programming only clears bits; erasing sets all bits of a 4 KB sector. Here: those rules, and the
partition table at its fixed place on the chip. Not here: the API of a partition (`esp32`).
"""

import struct
import time

from micropython import const

# The heap is the device's: no sector is ever held in it as a whole.
_PIECE = const(256)
# ESP-IDF programming guide, "Partition Tables": 32 bytes an entry, this magic in front.
_TABLE_ADDRESS = const(0x8000)
_ENTRY = "<2sBBII16sI"
_ENTRY_MAGIC = b"\xaa\x50"
_ENTRIES = const(95)


class Flash:
    """The whole chip; addresses count from its first byte."""

    def __init__(self, path):
        self._file = open(path, "r+b")  # noqa: SIM115 (open as long as there is power)
        self._blank = b"\xff" * _PIECE
        self.erase_ms = 0  # the chip stands still so long for each sector
        self.cut = None  # who ends it all in the midst of an operation (`cuts`)
        self.watch = None  # called at each read

    def read(self, address, buffer):
        if self.watch:
            self.watch()
        self._file.seek(address)
        count = self._file.readinto(buffer)
        if count != len(buffer):
            raise OSError("flash: read beyond the chip at 0x%x" % address)

    def program(self, address, data):
        """Clears the bits that are 0 in `data`; a bit that is already 0 stays 0."""
        data = memoryview(data)
        for start in range(0, len(data), _PIECE):
            self._program(address + start, data[start : start + _PIECE])

    def erase(self, address, length):
        if self.cut:
            self.cut.erase(address, length)
        self.blank(address, length)
        if self.erase_ms:
            time.sleep_ms(self.erase_ms)

    def blank(self, address, length):
        """What an erase does to the bits."""
        self._file.seek(address)
        for _ in range(length // _PIECE):
            self._file.write(self._blank)

    def write(self, address, data):
        """What a program does to the bits, which none of `data` may set."""
        self._file.seek(address)
        self._file.write(data)

    def _program(self, address, data):
        stored = bytearray(len(data))
        self.read(address, stored)
        if stored != self._blank:
            merged = bytearray(stored) if self.cut else stored
            for index in range(len(stored)):
                merged[index] &= data[index]
            data = merged
        if self.cut:
            self.cut.program(address, stored, data)
        self.write(address, data)

    def partitions(self):
        """(type, subtype, offset, size, label) of each entry of the table."""
        entry = bytearray(struct.calcsize(_ENTRY))
        for index in range(_ENTRIES):
            self.read(_TABLE_ADDRESS + index * len(entry), entry)
            magic, kind, subtype, offset, size, label, _ = struct.unpack(_ENTRY, entry)
            if magic != _ENTRY_MAGIC:
                return
            yield kind, subtype, offset, size, label.rstrip(b"\0").decode()
