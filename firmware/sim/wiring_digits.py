"""Joins what a chain of MAX7219 drives to a board, see `wiring`."""

import machine
from spi import SPI


def join(board, config, driver, pins):
    """No names of modules: nothing can be done to it."""
    machine.SPI = SPI
    if driver["name"] == "max7219":
        from segments import Digits

        board.digits = Digits(driver["digits"])
    else:
        from segments import Matrix

        board.digits = Matrix(driver["width"], driver["height"])
    board.pads.wire_select(pins["cs"], board.digits.load)
    return ()
