"""Builds a keypad, see build.py: keys, and a reader where the board has one.

Here: which drivers it may have. Not here: what keys and cards are for (roles/).
"""


def make(driver, pins, settings, hal, ctx, glyph_path):
    """The role; None: no such driver is in this firmware."""
    name = driver["name"]
    if name == "keys":
        from .drivers.keys import Keys
    elif name == "keys_matrix":
        from .drivers.keys_matrix import KeysMatrix as Keys
    else:
        return None
    from .roles.keypad import Keypad

    if "d0" not in pins:
        return Keypad(settings, Keys(driver, pins, hal), ctx)
    from .drivers.wiegand import Wiegand
    from .roles.login import Login

    reader = Wiegand(pins, hal)
    keys = Keys(driver, pins, hal)
    return Keypad(settings, keys, ctx, lambda keypad: Login(reader, keypad, ctx))
