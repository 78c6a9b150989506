"""NOR flash with esp32.Partition's methods, and power that can be cut at any operation.

Runs in MicroPython and in CPython. Programming only clears bits, and a program that would have to
set one is an error of the caller, so it raises; erasing sets a block's bits. After a cut every
access raises until `power_on`. A cut leaves the operation it falls on in a state of `MODES`.
"""

# What a cut makes of the operation that it falls on:
BEFORE = 0  # nothing of it happened
PREFIX = 1  # done up to some byte, of which some bits are done
AFTER = 2  # done, but its caller never learned so
HOLES = 3  # any byte may be done, untouched, or (in an erase) anything between
WEAK = 4  # begun on all bytes at once, as chips do; its bits may read otherwise at each power-on
MODES = (BEFORE, PREFIX, AFTER, HOLES, WEAK)


class PowerCut(BaseException):
    """Not an OSError: nothing in the firmware may catch it and go on."""


class NorFlash:
    """`cut_after` operations (programs and erases) from now the power is cut, in `mode`.

    `stuck` maps an offset to a function of the byte, applied to what is read there: worn cells.
    Blocks in `locked` keep what they hold, silently; with `failing` every operation is an OSError.
    `before_operation`, if set, is called as (kind, offset, data or None) ahead of each operation.
    """

    def __init__(self, blocks, size, random, image=None):
        self.blocks = blocks
        self.size = size
        self.random = random  # random.Random, or MicroPython's random
        self.image = bytearray(b"\xff" * (blocks * size)) if image is None else bytearray(image)
        self.weak = {}  # offset: (mask of undecided bits, byte they are likely to read as, or None)
        self.stuck = {}
        self.locked = ()
        self.failing = False
        self.operations = 0
        self.erases = 0
        self.cut_after = None
        self.mode = BEFORE
        self.dead = False
        self.before_operation = None

    def power_on(self):
        """Start again; each weak bit reads as one or the other until the next time."""
        self.dead = False
        self.cut_after = None
        bits = self.random.getrandbits
        for offset, (mask, likely) in self.weak.items():
            value = bits(8) if likely is None or bits(7) == 0 else likely
            self.image[offset] = self.image[offset] & ~mask | value & mask

    def fork(self, kind, offset, data, mode):
        """Another flash, powered on again after a cut at this operation of this one."""
        other = NorFlash(self.blocks, self.size, self.random, self.image)
        other.weak = dict(self.weak)
        other.stuck = self.stuck
        other.tear(kind, offset, data, mode)
        other.power_on()
        return other

    # esp32.Partition

    def ioctl(self, request, argument):
        self._alive()
        if request == 4:
            return self.blocks
        if request == 5:
            return self.size
        if request == 6:
            self._operation("erase", argument * self.size, None)
            return 0
        if request in (1, 2, 3):
            return 0  # a file system begins, ends, syncs: nothing is kept back here
        raise ValueError(f"ioctl {request} is not known")

    def readblocks(self, block, buffer, offset=0):
        self._alive()
        start = self._span(block, buffer, offset)
        buffer[:] = self.image[start : start + len(buffer)]
        for place, cells in self.stuck.items():
            if start <= place < start + len(buffer):
                buffer[place - start] = cells(buffer[place - start])

    def writeblocks(self, block, buffer, offset=None):
        self._alive()
        if offset is None:
            raise ValueError("without an offset the block is erased first: not for a journal")
        start = self._span(block, buffer, offset)
        for i in range(len(buffer)):
            if buffer[i] & ~self.image[start + i] & ~self.weak.get(start + i, (0,))[0]:
                raise AssertionError(f"programming cannot set bits, at {start + i}")
        self._operation("program", start, bytes(buffer))

    def _span(self, block, buffer, offset):
        assert 0 <= block < self.blocks, block
        assert 0 <= offset <= self.size - len(buffer), offset
        return block * self.size + offset

    def _alive(self):
        if self.dead:
            raise PowerCut("no power")

    # Power

    def _operation(self, kind, offset, data):
        if self.before_operation:
            self.before_operation(kind, offset, data)
        self.operations += 1
        self.erases += kind == "erase"
        if self.failing:
            raise OSError(5)
        if offset // self.size in self.locked:
            return
        if self.cut_after is not None:
            if self.cut_after == 0:
                self.tear(kind, offset, data, self.mode)
                self.dead = True
                raise PowerCut(kind)
            self.cut_after -= 1
        self._do(kind, offset, data)

    def _do(self, kind, offset, data):
        length = self.size if data is None else len(data)
        if self.weak:
            for i in range(length):
                mask, likely = self.weak.pop(offset + i, (0, 0))
                mask &= 0 if data is None else data[i]
                if mask:
                    self.weak[offset + i] = mask, likely
        if data is None:
            self.image[offset : offset + length] = b"\xff" * length
        else:
            for i in range(length):
                self.image[offset + i] &= data[i]

    def tear(self, kind, offset, data, mode):
        """Do as much of an operation as a cut in `mode` lets happen."""
        if mode == BEFORE:
            return
        length = self.size if data is None else len(data)
        old = bytes(self.image[offset : offset + length])
        weak = dict(self.weak)
        self._do(kind, offset, data)
        if mode == AFTER:
            return
        new = bytes(self.image[offset : offset + length])
        bits = self.random.getrandbits
        if mode == HOLES:
            for i in range(length):
                mask = (0, 0xFF, bits(8))[bits(8) % 3]
                self.image[offset + i] = new[i] & ~mask | old[i] & mask
                if data is None and bits(2) == 0:
                    self.image[offset + i] &= bits(8)  # an erase begins by clearing everything
        elif mode == PREFIX:
            point = bits(16) % length
            mask = bits(8)
            self.image[offset + point : offset + length] = old[point:]
            self.image[offset + point] = new[point] & mask | old[point] & ~mask
            for place, undecided in weak.items():
                if offset + point <= place < offset + length:
                    self.weak[place] = undecided
        else:
            progress = bits(16) % 3
            for i in range(length):
                mask = new[i] ^ old[i] | weak.get(offset + i, (0,))[0]
                if mask:
                    self.weak[offset + i] = mask, (old[i], None, new[i])[progress]
