"""HUB08: F3.75 and P4.75 indoor panels, 1/16 scan, shown in red.

Here: the pixel order: rows 0 to 15 on R1/G1, 16 to 31 on R2/G2, the first bit sent ends farthest
(Kubik F3.75 driver, wwillxu/smart-led). Not here: the scan.
"""

from .panel import make
from .scan import Geometry, Wiring


def make_panel(driver, pins, settings, hal):
    """A panel of driver["width"] x driver["height"] pixels: a multiple of 8, and 16 or 32."""
    geometry, wiring = layout(driver, pins, hal)
    return make(hal, geometry, wiring, driver, settings)


def layout(driver, pins, hal):
    """The order of the pixels, and the lines, which become outputs and stay dark."""
    width, height = driver["width"], driver["height"]
    columns = width // 8

    def offset(scan, group, line):
        return (scan + 16 * line) * columns + group

    lines = (("r1", "g1"), ("r2", "g2"))
    geometry = Geometry(width, height, 16, columns, height // 16, offset)
    return geometry, Wiring(hal, driver, pins, "en", "stb", ("a", "b", "c", "d"), lines)
