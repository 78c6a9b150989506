"""HUB08: F3.75 and P4.75 indoor modules, 64x32 or 64x16, 1/16 scan, red or red and green.

Here: the order of the pixels: rows 0 to 15 on R1/G1, 16 to 31 on R2/G2, the first bit sent ends
farthest (Kubik F3.75 driver, wwillxu/smart-led). Not here: the scan.
"""

from .cable import Geometry, Wiring


def layout(driver, pins, hal):
    """The order of the pixels, and the lines, which become outputs and stay dark."""
    colours = driver["colours"]
    parts = 1 if driver["height"] == 16 else 2
    lines = ("r1", "g1", "r2", "g2") if colours == 2 else ("r1", "r2")
    lines = lines[: parts * colours]
    geometry = Geometry(driver, 16 * parts, parts, colours)
    return geometry, Wiring(hal, driver, pins, "en", "stb", ("a", "b", "c", "d"), lines)
