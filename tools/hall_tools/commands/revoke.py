"""`hall revoke`: devices are shut out.

Here: options and output. Not here: what it does (hall_tools.enrolment).
"""

import json
from typing import Annotated

import typer

from hall_tools.commands.enroll import ConfigOption, print_broker
from hall_tools.commands.options import HALL_TOML, JsonOption
from hall_tools.enrolment import Enrolment


def revoke(
    devices: Annotated[list[str], typer.Argument(metavar="DEVICE", help="Devices' ids.")],
    config: ConfigOption = HALL_TOML,
    as_json: JsonOption = False,
) -> None:
    """Shut devices out at once: their keys, their connections, their events.

    Their places stay, for hall replace or for the same ids enrolled again.
    """
    told = Enrolment(config).revoke(devices)
    if as_json:
        print(json.dumps({"revoked": devices, "broker": told.value}))
        return
    for device in devices:
        print(f"{device}: revoked")
    print_broker(told, config)
