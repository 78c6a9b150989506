"""What is soldered together: one chip, its flash, and the parts that the device's config names.

Here: where each part is found. Not here: which there are (`wiring`), and how a part behaves; each
has its own module.
"""

import sys

from flash import Flash
from gpio import Pads
from power import Power


class Board:
    """`contacts` by pin name, and of `panel`, `digits`, `floor` and `lane` what is there.

    `sensor` is what looks at the lane; `i2c` and `radar` are its way to the chip. `deeds`: by the
    name in a line of the world, what can be done to this board's parts; `walk` is how somebody
    passes it. `sleep(length)`: of a chip that may sleep (`sleeping`).
    """

    panel = digits = floor = lane = sensor = i2c = radar = None
    wifi_in_range = True
    wake_pin = None  # [pin, level] that ends a deep sleep

    def __init__(self, flash_path, rtc_path):
        self.flash = Flash(flash_path)
        self.power = Power(rtc_path)
        self.pads = Pads()
        self.contacts = {}
        self.pins = {}
        self.deeds = {}

    def wire(self, config):
        """Solders what `config` (the device's config.json) names; KeyError: it lacks something."""
        from wiring import wire

        wire(self, config)
        for name in list(sys.modules):
            if name.startswith("wiring"):
                del sys.modules[name]


# The one board of this process, set at power on by `start`.
current = None
