"""`esp32` of the ESP32 port, as far as Hallkit uses it: partitions of the simulated flash.

What wakes a chip joins it where a device may sleep (`sleeping`).
"""

import board
from micropython import const

_BLOCK = const(4096)

HEAP_DATA = 4


def idf_heap_info(capabilities):
    """No region: there is no ESP-IDF below this MicroPython."""
    return []


class Partition:
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, entry):
        self._offset = entry[2]
        self._size = entry[3]

    @staticmethod
    def find(type=TYPE_APP, subtype=0xFF, label=None):
        """The partitions that match; an empty list when there is none."""
        return [
            Partition(entry)
            for entry in board.current.flash.partitions()
            if entry[0] == type and subtype in (0xFF, entry[1]) and label in (None, entry[4])
        ]

    def readblocks(self, block_num, buf, offset=0):
        board.current.flash.read(self._address(block_num, offset, len(buf)), buf)

    def writeblocks(self, block_num, buf, offset=None):
        """Without an offset the blocks are erased first; with one they are only programmed."""
        address = self._address(block_num, offset or 0, len(buf))
        if offset is None:
            board.current.flash.erase(address, len(buf))
        board.current.flash.program(address, buf)

    def ioctl(self, op, arg):
        if op == 4:
            return self._size // _BLOCK
        if op == 5:
            return _BLOCK
        if op == 6:
            board.current.flash.erase(self._address(arg, 0, _BLOCK), _BLOCK)
            return 0
        return None

    def _address(self, block, offset, length):
        start = block * _BLOCK + offset
        if start + length > self._size:
            raise OSError("ESP_ERR_INVALID_SIZE")
        return self._offset + start
