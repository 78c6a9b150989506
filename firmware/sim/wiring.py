"""Solders the parts that a config names to a board, each with what can be done to it.

Here: which parts a board needs. How each is joined to its pins is in wiring_*.py, what it does in a
module of its own. Only those are loaded that the board needs, and this one and wiring_*.py are
forgotten after they have been used (`Board.wire`): the heap is the device's, and keeps even the
names of all that it has loaded.
"""


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
    if name in ("keys", "beams"):
        from wiring_contacts import join
    elif name == "keys_matrix":
        from wiring_matrix import join
    elif name in ("hub12", "hub08", "hub75"):
        from wiring_panel import join
    elif name in ("max7219", "max7219_matrix"):
        from wiring_digits import join
    elif name in ("vl53l1x", "ld2450"):
        from wiring_lane import join
    elif name == "probe":
        from wiring_probe import join
    else:
        return
    for deeds in join(board, config, driver, pins):
        # What the lines of this module tell can be done to this board.
        board.deeds.update(__import__(deeds).DEEDS)


def _on_trial():
    try:
        with open("/flash/slot.json") as file:
            return "trial" in file.read()
    except (OSError, ValueError):
        return False  # there is no such state
