"""HUB75: RGB panels of 1/16 scan whose two halves are shifted together, shown in red.

Here: the pixel order (hzeller/rpi-rgb-led-matrix). Not here: the scan, grey levels, and panels
whose driver chips need to be initialised (FM6126A) or whose rows come in another order.
"""

from .scan import Geometry, Panel, Wiring


def make_panel(driver, pins, settings, hal):
    """A panel of driver["width"] x 32 pixels; the width is a multiple of 8."""
    width, height = driver["width"], driver["height"]
    columns = width // 8

    def offset(scan, group, line):
        return (scan + 16 * line) * columns + group

    lines = (("r1", "g1", "b1"), ("r2", "g2", "b2"))
    geometry = Geometry(width, height, 16, columns, 2, offset)
    wiring = Wiring(hal, driver, pins, "oe", "lat", ("a", "b", "c", "d"), lines)
    return Panel(hal, geometry, wiring, driver, settings)
