"""What is soldered together: one chip, its flash, and the parts that the device's config names.

Here: the wiring, made once at power on. Not here: how a part behaves; each has its own module.
"""

import os

from flash import Flash
from gpio import Pads
from power import Power

_CONTACTS = {"keys": "key_", "beams": "beam_"}
_PANELS = ("hub12", "hub08", "hub75")
# The file with the machine code for each chip.
_NATIVE = {
    "esp32": "scan_xtensawin.mpy",
    "esp32s3": "scan_xtensawin.mpy",
    "esp32c3": "scan_rv32imc.mpy",
}


class Board:
    """`contacts` by pin name, and of `panel`, `digits`, `floor` and `lane` what is there.

    `sensor` is what looks at the lane; `i2c` and `radar` are its way to the chip.
    """

    def __init__(self, flash_path, rtc_path):
        self.flash = Flash(flash_path)
        self.power = Power(rtc_path)
        self.pads = Pads()
        self.contacts = {}
        self.pins = {}
        self.panel = None
        self.digits = None
        self.floor = None
        self.lane = None
        self.sensor = None
        self.i2c = None
        self.radar = None
        self.wifi_in_range = True
        self.wake_pin = None  # [pin, level] that ends a deep sleep

    def sleep(self, length):
        """Deep sleep for `length` ms; this process ends. What the world is like stays."""
        if self.wake_pin and self.pads.chip == "esp32c3" and self.wake_pin[0] > 5:
            raise ValueError("wake-up pin not supported")
        pads = self.pads
        sleep = {
            "until": self.power.clock_ms() + length,
            "wake": self.wake_pin,
            "held": [[pin, pads.out >> pin & 1] for pin in pads.held],
        }
        sleep.update(self.weather())
        self.power.fall_asleep(sleep, {"sleep": length, "wake": self.wake_pin})

    def weather(self):
        """What of the world a sleep does not change."""
        return {"ohms": self.floor and self.floor.ohms, "wifi": self.wifi_in_range}

    def restore(self, sleep):
        """The world and the held pins as a sleep has left them, after wire()."""
        for pin, level in sleep["held"]:
            self.pads.drive(pin, level)
            self.pads.hold(pin, True)
        self.wifi_in_range = sleep["wifi"]
        if self.floor:
            self.floor.ohms = sleep["ohms"]

    def wire(self, config):
        """Solders what `config` (the device's config.json) names; KeyError: it lacks something.

        Only the parts that are there are imported: the heap is the device's.
        """
        driver = config["driver"]
        self.pins = pins = config["pins"]
        self.pads.chip = config["chip"]
        if driver["name"] in _CONTACTS:
            self._wire_contacts(driver, pins)
        elif driver["name"] == "keys_matrix":
            from matrix import Matrix

            Matrix(self, driver, pins)
        elif driver["name"] in _PANELS:
            from tap import Tap

            self.panel = Tap(self.pads)
            if _in_slot(_NATIVE[config["chip"]]):
                # What the chip would import: from now on the firmware finds it by its name alone.
                import scan_x64  # noqa: F401
        elif driver["name"] == "max7219":
            from segments import Digits

            self.digits = Digits(driver["digits"])
            self.pads.wire_select(pins["cs"], self.digits.load)
        elif driver["name"] == "max7219_matrix":
            from segments import Matrix

            self.digits = Matrix(driver["width"], driver["height"])
            self.pads.wire_select(pins["cs"], self.digits.load)
        elif driver["name"] == "vl53l1x":
            self._wire_ranger(pins, config["settings"]["floor_mm"])
        elif driver["name"] == "ld2450":
            import machine
            from lane import Lane
            from ld2450 import Ld2450
            from serial import UART

            machine.UART = UART
            self.lane = Lane(stretch=4)
            gate = config["settings"]["gate_mm"]
            self.sensor = self.radar = Ld2450(self.lane, gate)
        elif driver["name"] == "probe":
            from floor import Floor

            self.floor = Floor(driver, self.pads, pins["drive_a"], pins["drive_b"])
            if "wake" in pins:
                self.pads.wire_line(pins["wake"], self.floor.comparator)
            for name in ("button", "rain"):
                if name in pins:
                    self._wire_contact(name, pins[name], "low")

    def _wire_ranger(self, pins, height):
        import machine
        from i2c import I2C, Bus
        from lane import Lane
        from vl53l1x import Vl53l1x

        self.lane = Lane()
        self.sensor = Vl53l1x(self.lane, height)
        self.i2c = Bus(pins["sda"], pins["scl"], self.sensor)
        self.pads.wire_part(pins["xshut"], self.sensor.xshut)
        self.pads.wire_line(pins["int"], self.sensor.gpio1)
        machine.I2C = I2C

    def _wire_contacts(self, driver, pins):
        for name, pin in pins.items():
            if name.startswith(_CONTACTS[driver["name"]]):
                self._wire_contact(name, pin, driver["active"])
            else:
                self.pads.wire_output(pin, name)

    def _wire_contact(self, name, pin, active):
        from contact import Contact

        self.contacts[name] = Contact()
        self.pads.wire_contact(pin, self.contacts[name], active)


def _in_slot(name):
    """Whether there is such a file in an application slot of the flash, mounted at /flash."""
    slots = [slot for slot in os.listdir("/flash") if slot in ("a", "b")]
    return any(name in os.listdir("/flash/" + slot) for slot in slots)


# The one board of this process, set at power on by `start`.
current = None
