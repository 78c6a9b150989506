"""HUB12: monochrome P10 panels, 32x16 each, 1/4 scan, in a chain.

Here: the pixel order of a chain (freetronics/DMD, DMD32, board707/DMD_STM32). Data and clock flow
from right to left seen from the front: x = 0 is the farthest from the controller. Not here: the
scan.
"""

from .panel import make
from .scan import Geometry, Wiring


def make_panel(driver, pins, settings, hal):
    """A panel of driver["width"] x driver["height"] pixels: multiples of 32 and 16.

    Panels below each other are one chain; the top row of panels is sent first.
    """
    geometry, wiring = layout(driver, pins, hal)
    return make(hal, geometry, wiring, driver, settings)


def layout(driver, pins, hal):
    """The order of the pixels, and the lines, which become outputs and stay dark."""
    width, height = driver["width"], driver["height"]
    columns = width // 8

    def offset(scan, group, line):
        # Four bytes of a column of eight go out in turn: rows s+12, s+8, s+4, s.
        column = group // 4
        y = column // columns * 16 + (3 - group % 4) * 4 + scan
        return y * columns + column % columns

    geometry = Geometry(width, height, 4, columns * 4 * (height // 16), 1, offset)
    return geometry, Wiring(hal, driver, pins, "oe", "lat", ("a", "b"), (("r",),))
