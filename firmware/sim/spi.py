"""An SPI bus of the chip with a chain of MAX7219 on it, as `machine` has it. Not here: the chain
(`segments`)."""

import board


class SPI:
    def __init__(self, id, baudrate=1_000_000, *, polarity=0, phase=0, sck, mosi, miso):
        """All pins must be told, as the port's default for one that is left out may be in use."""
        if id not in (1, 2):
            raise ValueError("SPI(%s) doesn't exist" % id)
        if miso is not None:
            raise ValueError("nothing here answers on MISO")
        pins = board.current.pins
        self._to_digits = (
            board.current.digits is not None
            and (sck.id, mosi.id) == (pins["clk"], pins["din"])
            and (polarity, phase) == (0, 0)
        )

    def write(self, data):
        if self._to_digits:
            board.current.digits.shift(data)
