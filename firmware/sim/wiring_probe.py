"""Joins a floor, and what is beside it, to a board, see `wiring`."""

import machine
from adc import ADC
from floor import Floor


def join(board, config, driver, pins):
    """The names of the modules with what can be done to it."""
    machine.ADC = ADC
    board.floor = Floor(driver, board.pads, pins["drive_a"], pins["drive_b"])
    if "wake" in pins:
        board.pads.wire_line(pins["wake"], board.floor.comparator)
    for name in ("button", "rain"):
        if name in pins:
            from contact import Contact

            board.contacts[name] = Contact()
            board.pads.wire_contact(pins[name], board.contacts[name], "low")
    return ("water",)
