"""Solders the parts that a config names to a board, each with what can be done to it.

Here: which modules of the simulation a board needs, and on which pins its parts are. Only those are
loaded, and this one is forgotten after it has been used (`Board.wire`), as the heap is the
device's. Not here: how a part behaves; each has its own module.
"""

import os
import sys

import machine

_CONTACTS = {"keys": "key_", "beams": "beam_"}
_PANELS = ("hub12", "hub08", "hub75")
# The file with the machine code for each chip.
_NATIVE = {
    "esp32": "scan_xtensawin.mpy",
    "esp32s3": "scan_xtensawin.mpy",
    "esp32c3": "scan_rv32imc.mpy",
}


def wire(board, config):
    """KeyError: `config` lacks something."""
    if _on_trial():
        import trial  # noqa: F401 (it joins `machine`)
    driver = config["driver"]
    name = driver["name"]
    board.pins = pins = config["pins"]
    board.pads.chip = config["chip"]
    if config.get("transport") == "coap":
        from sleeping import sleep

        board.sleep = sleep
    if name in _CONTACTS:
        _wire_contacts(board, driver, pins)
    elif name == "keys_matrix":
        from matrix import Matrix

        Matrix(board, driver, pins)
    elif name in _PANELS:
        from tap import Tap

        board.panel = Tap(board.pads)
        if _in_slot(_NATIVE[config["chip"]]):
            # What the chip would import: from now on the firmware finds it by its name alone.
            import scan_x64  # noqa: F401
    elif name in ("max7219", "max7219_matrix"):
        _wire_digits(board, driver, pins)
    elif name in ("vl53l1x", "ld2450"):
        _wire_lane(board, name, pins, config["settings"])
    elif name == "probe":
        _wire_probe(board, driver, pins)
    if name in ("keys", "keys_matrix"):
        _can(board, "fingers")
        if "d0" in pins:
            _can(board, "cards")
    elif name in ("beams", "vl53l1x", "ld2450"):
        _can(board, "walks")


def _on_trial():
    try:
        with open("/flash/slot.json") as file:
            return "trial" in file.read()
    except (OSError, ValueError):
        return False  # there is no such state


def _can(board, name):
    """What the lines of this module tell can be done to this board."""
    __import__(name)
    board.deeds.update(sys.modules[name].DEEDS)


def _wire_contacts(board, driver, pins):
    for name, pin in pins.items():
        if name.startswith(_CONTACTS[driver["name"]]):
            _wire_contact(board, name, pin, driver["active"])
        else:
            board.pads.wire_output(pin, name)
    if driver["name"] == "beams":
        from beam_walk import walk

        board.walk = walk


def _wire_contact(board, name, pin, active):
    from contact import Contact

    board.contacts[name] = Contact()
    board.pads.wire_contact(pin, board.contacts[name], active)


def _wire_digits(board, driver, pins):
    from spi import SPI

    machine.SPI = SPI
    if driver["name"] == "max7219":
        from segments import Digits

        board.digits = Digits(driver["digits"])
    else:
        from segments import Matrix

        board.digits = Matrix(driver["width"], driver["height"])
    board.pads.wire_select(pins["cs"], board.digits.load)


def _wire_lane(board, name, pins, settings):
    from lane import Lane
    from lane_walk import walk

    board.walk = walk
    if name == "ld2450":
        from ld2450 import Ld2450
        from serial import UART

        machine.UART = UART
        board.lane = Lane(stretch=4)
        board.sensor = board.radar = Ld2450(board.lane, settings["gate_mm"])
    else:
        from i2c import I2C, Bus
        from vl53l1x import Vl53l1x

        machine.I2C = I2C
        board.lane = Lane()
        board.sensor = sensor = Vl53l1x(board.lane, settings["floor_mm"])
        board.i2c = Bus(pins["sda"], pins["scl"], sensor)
        board.pads.wire_part(pins["xshut"], sensor.xshut)
        board.pads.wire_line(pins["int"], sensor.gpio1)
    _can(board, "lane_walk")


def _wire_probe(board, driver, pins):
    from adc import ADC
    from floor import Floor

    machine.ADC = ADC
    board.floor = Floor(driver, board.pads, pins["drive_a"], pins["drive_b"])
    if "wake" in pins:
        board.pads.wire_line(pins["wake"], board.floor.comparator)
    for name in ("button", "rain"):
        if name in pins:
            _wire_contact(board, name, pins[name], "low")
    _can(board, "water")


def _in_slot(name):
    """Whether there is such a file in an application slot of the flash, mounted at /flash."""
    slots = [slot for slot in os.listdir("/flash") if slot in ("a", "b")]
    return any(name in os.listdir("/flash/" + slot) for slot in slots)
