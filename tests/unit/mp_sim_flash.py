"""The rules of the simulated flash, through esp32.Partition. Arguments: flash file, RTC file."""

import sys

import board

board.current = board.Board(sys.argv[1], sys.argv[2])

import esp32  # noqa: E402

Partition = esp32.Partition


def raises(kind, deed):
    try:
        deed()
    except kind:
        return
    raise AssertionError("nothing was raised")


(journal,) = Partition.find(Partition.TYPE_DATA, label="jrnl")
assert Partition.find(Partition.TYPE_DATA, label="nothing") == []
assert len(Partition.find(Partition.TYPE_APP)) == 1
assert (journal.ioctl(4, 0), journal.ioctl(5, 0)) == (16, 4096)

# Programming clears bits and never sets one.
piece = bytearray(3)
journal.writeblocks(1, b"\xf0\x0f\xff", 10)
journal.writeblocks(1, b"\x3f\xf5\x00", 10)
journal.readblocks(1, piece, 10)
assert piece == b"\x30\x05\x00", piece

# Erasing a block sets its bits, and only its own.
journal.writeblocks(2, b"\x00", 0)
journal.ioctl(6, 1)
journal.readblocks(1, piece, 10)
assert piece == b"\xff\xff\xff", piece
one = bytearray(1)
journal.readblocks(2, one, 0)
assert one == b"\x00"

# Without an offset the block is erased first.
block = bytes(range(256)) * 16
journal.writeblocks(2, block)
back = bytearray(4096)
journal.readblocks(2, back)
assert back == block

# Across the pieces in which the file is written.
journal.ioctl(6, 3)
journal.writeblocks(3, block[:600], 200)
back = bytearray(600)
journal.readblocks(3, back, 200)
assert back == block[:600]

# A partition ends where it ends.
raises(OSError, lambda: journal.readblocks(16, piece, 0))
raises(OSError, lambda: journal.writeblocks(15, b"12", 4095))
raises(OSError, lambda: journal.ioctl(6, 16))
