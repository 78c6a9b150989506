"""Builds a wet-floor sign, see build.py: a probe, and what else its board has.

Here: which driver it has. Not here: when a floor is wet (roles/wet_floor.py).
"""


def make(driver, pins, settings, hal, ctx, glyph_path):
    """The role; None: no such driver is in this firmware."""
    if driver["name"] != "probe":
        return None
    from .drivers.probe import Probe
    from .roles.wet_floor import WetFloor

    button = "button" in pins and hal.input(pins["button"], "low")
    rain = "rain" in pins and hal.input(pins["rain"], "low")
    probe = Probe(driver, pins, settings, hal)
    return WetFloor(settings, probe, ctx, button or None, rain or None)
