"""Builds a call display, see build.py: a face of seven-segment digits, or of dots with glyphs.

Here: which drivers it may have. Not here: what they show (roles/call_display.py).
"""


def make(driver, pins, settings, hal, ctx, glyph_path):
    """The role; None: no such driver is in this firmware."""
    if driver["name"] == "max7219":
        from .drivers.max7219 import Max7219
        from .segments import SegmentFace

        face = SegmentFace(Max7219(driver, pins, settings, hal))
    else:
        panel = _panel(driver, pins, settings, hal)
        if panel is None:
            return None
        from .canvas import MatrixFace
        from .glyphs import GlyphPack

        face = MatrixFace(panel, GlyphPack(glyph_path))
    from .roles.call_display import CallDisplay

    return CallDisplay(settings, face, ctx)


def _panel(driver, pins, settings, hal):
    name = driver["name"]
    if name == "max7219_matrix":
        from .drivers.max7219 import Max7219Matrix

        return Max7219Matrix(driver, pins, settings, hal)
    if name == "hub12":
        from .drivers.hub12 import layout
    elif name == "hub08":
        from .drivers.hub08 import layout
    elif name == "hub75":
        from .drivers.hub75 import layout
    else:
        return None
    from .drivers.panel import make_panel

    return make_panel(layout, driver, pins, settings, hal, hal.player())
