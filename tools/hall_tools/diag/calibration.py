"""A floor sensor learns what its dry floor reads.

Here: the question, and who may be asked it. Not here: what makes a floor dry, which the device
judges (firmware/hall/roles/wet_floor.py).
"""

import os

from hall_tools.diag.console import Console, RefusedError, merged
from hall_tools.errors import UserError

ROLE = "wet_floor"


def calibrate_dry(console: Console) -> int:
    """What the floor reads, in ohm, and from now on is dry to the device.

    UserError: it is no floor sensor, or it says why this cannot be its dry floor.
    """
    who = console.identify()
    if who.get("role") != ROLE:
        raise UserError(
            f"{who.get('device')}: is a {who.get('profile')}, which has nothing to calibrate; "
            "only a floor sensor has",
            os.EX_USAGE,
        )
    try:
        return int(merged(console.ask("config", {"calibrate": "dry"}))["dry_ohms"])
    except RefusedError as refusal:
        # To the device this is a setting; who typed the command knows it by its own name.
        words = str(refusal).replace(": config: ", ": not calibrated: ", 1)
        raise RefusedError(words, refusal.exit_code) from None
