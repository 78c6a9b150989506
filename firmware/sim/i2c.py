"""An I2C bus: bytes between the chip and the parts that are soldered to two of its pins.

Here: start, address, acknowledge, bytes, stop (UM10204), and the chip's controller as `machine` has
it. Not here: what a part makes of the bytes.
"""

import board

# As the ESP32 port tells of a missing acknowledge, and of a dead bus.
_ENODEV = 19
_ETIMEDOUT = 116


class Bus:
    """`part` has `called(address) -> bool`, `take(byte) -> bool`, `give() -> byte`, `stop()`."""

    def __init__(self, sda, scl, part):
        self.sda = sda
        self.scl = scl
        self.part = part

    def write(self, address, data):
        """OSError: nobody acknowledged the address, or a byte of the data."""
        part = self.part
        if not part.called(address):
            raise OSError(_ENODEV)
        for byte in data:
            if not part.take(byte):
                part.stop()
                raise OSError(_ENODEV)
        part.stop()

    def read(self, address, index, into):
        """Writes `index`, then reads after a repeated start, the last byte not acknowledged."""
        part = self.part
        if not part.called(address):
            raise OSError(_ENODEV)
        for byte in index:
            part.take(byte)
        if not part.called(address):
            raise OSError(_ENODEV)
        for place in range(len(into)):
            into[place] = part.give()
        part.stop()


class I2C:
    def __init__(self, id, *, scl, sda, freq=400_000, timeout=50_000):
        """The chip's own controller. A bus that has no part and no pull-ups answers nothing."""
        if not 0 <= id < (1 if board.current.pads.chip == "esp32c3" else 2):
            raise ValueError("I2C(%d) doesn't exist" % id)
        bus = board.current.i2c
        wired = bus is not None and (scl.id, sda.id) == (bus.scl, bus.sda)
        self._bus = bus if wired else None

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        if self._bus is None:
            raise OSError(_ETIMEDOUT)
        self._bus.write(addr, _index(memaddr, addrsize) + bytes(buf))

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        if self._bus is None:
            raise OSError(_ETIMEDOUT)
        self._bus.read(addr, _index(memaddr, addrsize), buf)


def _index(memaddr, addrsize):
    return memaddr.to_bytes(addrsize // 8, "big")
