"""Joins a sensor above a lane to a board, see `wiring`."""

import machine
from lane import Lane
from lane_walk import walk


def join(board, config, driver, pins):
    """The names of the modules with what can be done to it."""
    board.walk = walk
    settings = config["settings"]
    if driver["name"] == "ld2450":
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
    return ("lane_walk", "walks")
