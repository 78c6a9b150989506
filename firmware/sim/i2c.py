"""An I2C bus: bytes between the chip and the parts that are soldered to two of its pins.

Here: start, address, acknowledge, bytes, stop (UM10204). Not here: the controller's API
(`machine`), nor what a part makes of the bytes.
"""

_ENODEV = 19  # as the ESP32 port tells of a missing acknowledge


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
