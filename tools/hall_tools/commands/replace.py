"""`hall replace`: a spare takes the place of a device.

Here: options and output. Not here: what it does (hall_tools.enrolment).
"""

import json
from typing import Annotated

import typer

from hall_tools.commands.enroll import ConfigOption, print_broker
from hall_tools.commands.options import HALL_TOML, JsonOption
from hall_tools.enrolment import Enrolment


def replace(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The device that goes.")],
    new: Annotated[str, typer.Option("--with", metavar="NEW", help="A spare of the same model.")],
    config: ConfigOption = HALL_TOML,
    as_json: JsonOption = False,
) -> None:
    """Give a device's place to a spare: window or zone, settings, and what is going on there.

    The old device is revoked. What it reported keeps its id.
    """
    done = Enrolment(config).replace(old, new)
    if as_json:
        result = {
            "device": new,
            "replaces": old,
            "profile": done.profile,
            "window": done.place.window,
            "zone": done.place.zone,
            "settings": done.settings,
            "broker": done.told.value,
        }
        print(json.dumps(result, ensure_ascii=False))
        return
    print(f"{new}: {done.profile} at {done.place}, in place of {old}")
    print(f"{old}: revoked")
    print_broker(done.told, config)
    if done.settings:
        told = ", ".join(f"{name} = {value}" for name, value in done.settings.items())
        print(f"note: flash {new} once more, for the settings of its place: {told}")
