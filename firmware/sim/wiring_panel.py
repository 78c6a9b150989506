"""Joins a scanned panel to a board, see `wiring`."""

import os

from tap import Tap

# The file with the machine code for each chip.
_NATIVE = {
    "esp32": "scan_xtensawin.mpy",
    "esp32s3": "scan_xtensawin.mpy",
    "esp32c3": "scan_rv32imc.mpy",
}


def join(board, config, driver, pins):
    """No names of modules: nothing can be done to it."""
    board.panel = Tap(board.pads)
    if _in_slot(_NATIVE[config["chip"]]):
        # What the chip would import: from now on the firmware finds it by its name alone.
        import scan_x64  # noqa: F401
    return ()


def _in_slot(name):
    """Whether there is such a file in an application slot of the flash, mounted at /flash."""
    slots = [slot for slot in os.listdir("/flash") if slot in ("a", "b")]
    return any(name in os.listdir("/flash/" + slot) for slot in slots)
