"""A scanned panel: a picture is built once into a program, and each scan plays one frame of it.

Here: the panel, whatever plays it, and the choice of the player: native code or viper. A player is
a module with version, build, frame and blank (firmware/native/module.c, scan_viper.py). Not here:
the order of the pixels (cable.py, and the driver of each kind of panel).
"""

import sys

from .description import VERSION, describe, program_bytes, set_brightness

# Native players in an application slot, by the machine code that this MicroPython loads.
MODULES = {0x0B: "scan_x64", 0x2B: "scan_xtensawin", 0x2F: "scan_rv32imc"}


def make_panel(layout, driver, pins, settings, hal, player):
    """The panel of a config; `layout` is that function of its driver's module.

    settings["brightness"]: see Panel.dim.
    """
    geometry, wiring = layout(driver, pins, hal)
    description = describe(hal.GPIO, geometry, wiring, settings["brightness"])
    return Panel(player, description, geometry, driver["refresh_hz"])


def find():
    """The player of this MicroPython: the native one for its chip, or else viper.

    ValueError: it has neither. Outside a chip viper is none: there are no registers to store to.
    """
    name = MODULES.get(getattr(sys.implementation, "_mpy", 0) >> 8)
    try:
        player = __import__(name) if name else None
        if player and player.version == VERSION:
            return player
    except (ImportError, ValueError):
        pass  # not in this slot, or for another MicroPython
    try:
        if sys.platform == "esp32":
            from . import scan_viper

            return scan_viper
    except (ImportError, SyntaxError):
        pass  # not in this slot, or a MicroPython that makes no machine code
    name = name or "a native player"
    raise ValueError("panel: the firmware has neither %s nor viper: reinstall it" % name)


class Panel:
    """Dark between frames: `scan` plays one, row by row, and always ends dark.

    One program is enough: a picture is built between two frames, by the task that plays them.
    """

    def __init__(self, player, description, geometry, refresh_hz):
        self.width = geometry.width
        self.height = geometry.height
        self.colours = geometry.colours
        self.refresh_ms = 1000 // refresh_hz
        self._player = player
        self._description = description
        self._program = bytearray(program_bytes(description))
        self.show(bytes(self.colours * self.width * self.height // 8))

    def show(self, picture):
        """Takes a picture, to be seen from the next scan on: the planes of all colours one after
        the other, each in framebuf's MONO_HLSB format."""
        self._player.build(self._program, picture, self._description)

    def scan(self):
        """Shows the picture once: about 3 ms at full brightness."""
        self._player.frame(self._program, self._description)

    def dim(self, percent):
        """1 to 100 % of the light of the longest frame, from the next scan on."""
        set_brightness(self._description, percent)
