"""HUB12: monochrome P10 modules, 32x16 each, 1/4 scan.

Here: the order of the pixels (freetronics/DMD, DMD32, board707/DMD_STM32). Data and clock flow from
right to left seen from the front: x = 0 is the farthest from the controller. Not here: the scan.
"""

from .cable import Geometry, Wiring


def layout(driver, pins, hal):
    """The order of the pixels, and the lines, which become outputs and stay dark."""
    geometry = Geometry(driver, 16, 1, 1)
    return geometry, Wiring(hal, driver, pins, "oe", "lat", ("a", "b"), ("r",))
