"""What is soldered together: one chip, its flash, and the parts that the device's config names.

Here: the wiring, made once at power on. Not here: how a part behaves; each has its own module.
"""

from contact import Contact
from flash import Flash
from floor import Floor
from gpio import Pads
from panels import Panel
from power import Power
from segments import Max7219Chain

_PANELS = ("hub12", "hub08", "hub75")


class Board:
    """`contacts` by pin name, and of `panel`, `digits` and `floor` the one that is there."""

    def __init__(self, flash_path, rtc_path):
        self.flash = Flash(flash_path)
        self.power = Power(rtc_path)
        self.pads = Pads()
        self.contacts = {}
        self.pins = {}
        self.panel = None
        self.digits = None
        self.floor = None
        self.wifi_in_range = True

    def wire(self, config):
        """Solders what `config` (the device's config.json) names; KeyError: it lacks something."""
        driver = config["driver"]
        self.pins = pins = config["pins"]
        self.pads.become(config["chip"])
        for name, pin in pins.items():
            if name.startswith(("key_", "beam_")):
                self.contacts[name] = Contact()
                self.pads.wire_contact(pin, self.contacts[name], driver["active"])
            elif name.startswith("lamp_") or name == "buzzer":
                self.pads.wire_output(pin, name)
        if driver["name"] in _PANELS:
            self.panel = Panel(driver, pins, self.pads)
            self.pads.wire_panel(self.panel)
        elif driver["name"] == "max7219":
            self.digits = Max7219Chain(driver["digits"])
            self.pads.wire_select(pins["cs"], self.digits.load)
        elif driver["name"] == "probe":
            self.floor = Floor(driver["series_ohms"], self.pads, pins["drive_a"], pins["drive_b"])


# The one board of this process, set at power on by `start`.
current = None
