"""Builds the role that a config names, with its drivers: the one list of what this firmware has.

Here: which role and which driver belong to which names, and which pins and settings each is given.
Not here: hardware (hal.py makes the pin objects), and what a role does. Only the modules that the
config needs are imported, so that the others take no heap.

What is used of `hal`; every `active` is "low" or "high":
- `hal.input(pin, active)`: an object whose `.value()` is 1 while the input is active;
- `hal.output(pin, active)`: an object with `.on()` and `.off()`, made in the off state;
- `hal.open_drain(pin)`: the same, active low, which lets the line go when it is off;
- `hal.falling(pin, handler)`: calls `handler(pin)` after each falling edge;
- `hal.adc(pin)`: an object whose `.read_uv()` is the pin's voltage in microvolts;
- `hal.spi(clk, din, hz)`: an object with `.write(bytes)`, most significant bit first, mode 0;
- `hal.i2c(sda, scl, hz)`: an object with machine.I2C's `.readfrom_mem_into()`, `.writeto_mem()`;
- `hal.uart(tx, rx, baud)`: an object with `.any()` and `.readinto(buffer)`, 8N1;
- `hal.GPIO`: where the chip's GPIO registers begin;
- `hal.player()`: what plays the frames of a scanned panel (drivers/panel.py).
"""


def make_role(config, hal, ctx, glyph_path):
    """The role object of `config` (the compiled config.json), ready to step.

    `glyph_path` is where the glyph pack lies; only a matrix display reads it. ValueError: the role
    or the driver is not in this firmware, or a setting makes no sense. KeyError: a pin is missing.
    """
    role = config["role"]
    driver = config["driver"]
    name = driver["name"]
    pins = config["pins"]
    settings = config["settings"]
    if role == "call_display":
        from .roles.call_display import CallDisplay

        return CallDisplay(settings, _face(driver, pins, settings, hal, glyph_path), ctx)
    if role == "keypad" and name in ("keys", "keys_matrix"):
        if name == "keys":
            from .drivers.keys import Keys
        else:
            from .drivers.keys_matrix import KeysMatrix as Keys
        from .roles.keypad import Keypad

        if "d0" not in pins:
            return Keypad(settings, Keys(driver, pins, hal), ctx)
        from .drivers.wiegand import Wiegand
        from .roles.login import Login

        reader = Wiegand(pins, hal)
        keys = Keys(driver, pins, hal)
        return Keypad(settings, keys, ctx, lambda keypad: Login(reader, keypad, ctx))
    if role == "people_counter" and name in ("beams", "vl53l1x", "ld2450"):
        from .roles.people_counter import PeopleCounter

        return PeopleCounter(settings, _lane(driver, pins, settings, hal), ctx)
    if role == "wet_floor" and name == "probe":
        from .drivers.probe import Probe
        from .roles.wet_floor import WetFloor

        button = "button" in pins and hal.input(pins["button"], "low")
        rain = "rain" in pins and hal.input(pins["rain"], "low")
        probe = Probe(driver, pins, settings, hal)
        return WetFloor(settings, probe, ctx, button or None, rain or None)
    if role in ("keypad", "people_counter", "wet_floor"):
        raise ValueError("driver %s is not in this firmware" % name)
    raise ValueError("role %s is not in this firmware" % role)


def _lane(driver, pins, settings, hal):
    name = driver["name"]
    if name == "beams":
        from .drivers.beams import Beams
        from .roles.beam_lane import BeamLane

        return BeamLane(settings, Beams(driver, pins, hal))
    if name == "vl53l1x":
        from .drivers.vl53l1x import Vl53l1x
        from .roles.tof_lane import TofLane

        return TofLane(settings, Vl53l1x(driver, pins, hal))
    from .drivers.ld2450 import Ld2450
    from .roles.radar_lane import RadarLane

    return RadarLane(settings, Ld2450(driver, pins, hal))


def _face(driver, pins, settings, hal, glyph_path):
    if driver["name"] == "max7219":
        from .drivers.max7219 import Max7219
        from .segments import SegmentFace

        return SegmentFace(Max7219(driver, pins, settings, hal))
    from .canvas import MatrixFace
    from .glyphs import GlyphPack

    return MatrixFace(_panel(driver, pins, settings, hal), GlyphPack(glyph_path))


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
        raise ValueError("driver %s is not in this firmware" % name)
    from .drivers.panel import make_panel

    return make_panel(layout, driver, pins, settings, hal, hal.player())
