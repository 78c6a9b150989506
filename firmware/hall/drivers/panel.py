"""A scanned panel, played by machine code where there is some for this chip.

Here: which of the two scans a panel gets, and the native one behind the same methods. Not here: the
native code (firmware/native) and the scan in plain MicroPython (scan.py).
"""

import sys

from .description import VERSION, describe, program_bytes
from .scan import Panel

# Modules in an application slot, by the machine code that this MicroPython loads.
MODULES = {0x0B: "scan_x64", 0x2B: "scan_xtensawin", 0x2F: "scan_rv32imc"}


def make(hal, geometry, wiring, driver, settings):
    """A NativePanel, or scan.Panel when there is no native module, or one of another version."""
    native = find()
    if native is None:
        return Panel(hal, geometry, wiring, driver, settings)
    return NativePanel(native, hal, geometry, wiring, driver, settings)


def find():
    """The native module, or None. ValueError and ImportError both mean: not for this chip."""
    name = MODULES.get(getattr(sys.implementation, "_mpy", 0) >> 8)
    try:
        native = __import__(name) if name else None
    except (ImportError, ValueError):
        return None
    return native if native and native.version == VERSION else None


class NativePanel:
    """`show` takes a picture, `scan` plays one whole frame of it; as scan.Panel.

    settings["brightness"] is the lit share, in percent, of the longest frame, about 3 ms.
    """

    def __init__(self, native, hal, geometry, wiring, driver, settings):
        self.width = geometry.width
        self.height = geometry.height
        self.refresh_ms = 1000 // driver["refresh_hz"]
        self._native = native
        self._description = describe(
            hal.GPIO_SET - 8, geometry, wiring, settings["brightness"]
        )
        self._program = bytearray(program_bytes(self._description))
        self.show(bytes(geometry.width * geometry.height // 8))

    def show(self, picture):
        """Takes a picture in framebuf's MONO_HLSB format, to be seen from the next scan on."""
        self._native.build(self._program, picture, self._description)

    def scan(self):
        """Shows the picture once, row by row, and ends dark."""
        self._native.frame(self._program, self._description)
