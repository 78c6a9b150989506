"""Joins keys and light beams to a board, see `wiring`: each is a contact."""

from contact import Contact


def join(board, config, driver, pins):
    """The names of the modules with what can be done to them."""
    keys = driver["name"] == "keys"
    for name, pin in pins.items():
        if name.startswith("key_" if keys else "beam_"):
            board.contacts[name] = Contact()
            board.pads.wire_contact(pin, board.contacts[name], driver["active"])
        else:
            board.pads.wire_output(pin, name)
    if keys:
        return ("fingers", "cards") if "d0" in pins else ("fingers",)
    from beam_walk import walk

    board.walk = walk
    return ("walks",)
