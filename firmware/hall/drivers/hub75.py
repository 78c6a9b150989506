"""HUB75: RGB modules, 64x32 each, 1/16 scan, whose two halves are shifted at once.

Here: the order of the pixels (hzeller/rpi-rgb-led-matrix). Not here: the scan, grey levels, and
panels whose driver chips need to be initialised (FM6126A) or shift their rows (SM5368).
"""

from .cable import Geometry, Wiring


def layout(driver, pins, hal):
    """The order of the pixels, and the lines, which become outputs and stay dark."""
    geometry = Geometry(driver, 32, 2, 3)
    lines = ("r1", "g1", "b1", "r2", "g2", "b2")
    return geometry, Wiring(hal, driver, pins, "oe", "lat", ("a", "b", "c", "d"), lines)
