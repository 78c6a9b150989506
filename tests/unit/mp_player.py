"""Which player a panel finds, in the real MicroPython taken for a chip's. Argument: the `_mpy` that
it is told, or "here" for this port as it is. stdout: the module's name, or the error.
"""

import sys

from hall.drivers import panel


class Chip:
    platform = "esp32"

    class implementation:  # noqa: N801 - as in sys
        _mpy = 0


if sys.argv[1] != "here":
    Chip.implementation._mpy = int(sys.argv[1], 16)
    panel.sys = Chip
try:
    print(panel.find().__name__)
except ValueError as error:
    print(error)
