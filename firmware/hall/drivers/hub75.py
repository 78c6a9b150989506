"""HUB75: RGB panels of 1/16 scan whose two halves are shifted together, shown in red.

Here: the pixel order (hzeller/rpi-rgb-led-matrix). Not here: the scan, grey levels, and panels
whose driver chips need to be initialised (FM6126A) or whose rows come in another order.
"""

from .panel import make
from .scan import Geometry, Wiring


def make_panel(driver, pins, settings, hal):
    """A panel of driver["width"] x 32 pixels; the width is a multiple of 8."""
    geometry, wiring = layout(driver, pins, hal)
    return make(hal, geometry, wiring, driver, settings)


def layout(driver, pins, hal):
    """The order of the pixels, and the lines, which become outputs and stay dark."""
    width, height = driver["width"], driver["height"]
    columns = width // 8

    def offset(scan, group, line):
        return (scan + 16 * line) * columns + group

    lines = (("r1", "g1", "b1"), ("r2", "g2", "b2"))
    geometry = Geometry(width, height, 16, columns, 2, offset)
    return geometry, Wiring(hal, driver, pins, "oe", "lat", ("a", "b", "c", "d"), lines)
