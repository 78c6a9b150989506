"""Builds the role that a config names, with its drivers: the list of what this firmware has.

Here: which roles there are. Each has a build_*.py of its own, which knows its drivers, and which
pins and settings each is given; only what the config needs is imported, as even the names of the
others take heap for ever. Not here: hardware (hal.py makes the pin objects), what a role does.

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
    if role == "call_display":
        from . import build_call_display as its
    elif role == "keypad":
        from . import build_keypad as its
    elif role == "people_counter":
        from . import build_people_counter as its
    elif role == "wet_floor":
        from . import build_wet_floor as its
    else:
        raise ValueError("role %s is not in this firmware" % role)
    made = its.make(config["driver"], config["pins"], config["settings"], hal, ctx, glyph_path)
    if made is None:
        raise ValueError("driver %s is not in this firmware" % config["driver"]["name"])
    return made
