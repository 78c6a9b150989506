"""`hall enroll`: devices get keys and a place in the hall.

Here: options, output, exit codes, and what `hall revoke` and `hall replace` share of them. Not
here: what it does (hall_tools.enrolment).
"""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from hall_tools.boards import read_boards
from hall_tools.commands.options import HALL_TOML, JsonOption
from hall_tools.device_broker import Told
from hall_tools.enrolment import Board, Enrolled, Enrolment
from hall_tools.errors import UserError
from hall_tools.registry import Place

ConfigOption = Annotated[Path, typer.Option("--config", help="The gateway's TOML file.")]

_BROKER = {
    Told.RELOADED: "mosquitto: has read its files again",
    Told.NOT_RUNNING: "mosquitto: does not run; it reads its files when it starts",
    Told.EMBEDDED: "the embedded broker knows no keys: it is for demos",
}


def enroll(
    devices: Annotated[
        list[str] | None, typer.Argument(metavar="DEVICE", help="The new devices' ids: kp-1.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="Their model; see hall profile list.")
    ] = None,
    window: Annotated[
        str | None, typer.Option("--window", help="The window they stand at.")
    ] = None,
    zone: Annotated[str | None, typer.Option("--zone", help="The zone they stand in.")] = None,
    spare: Annotated[
        bool, typer.Option("--spare", help="They stand nowhere yet; see hall replace.")
    ] = False,
    listed: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="CSV", help="A file of boards: device,profile,window,zone; UTF-8."
        ),
    ] = None,
    config: ConfigOption = HALL_TOML,
    as_json: JsonOption = False,
) -> None:
    """Give devices keys of their own and a place in the hall.

    Writes the keys, hall.toml, and mosquitto's psk and acl files; nothing has to be restarted.
    A device that is enrolled again gets new keys, and the old ones are worth nothing; its id is
    enough.

        hall enroll kp-1 --profile keypad-5 --window 1
        hall enroll --from boards.csv
        hall enroll kp-1
    """
    place, enrolment = _place(window, zone), Enrolment(config)
    if devices and listed is None and profile is None and place is None and not spare:
        boards = enrolment.as_before(devices)
    else:
        boards = _boards(devices or [], profile, place, spare, listed)
    enrolled, told = enrolment.enroll(boards)
    if as_json:
        result = [_told_of(one, enrolment) for one in enrolled]
        print(json.dumps({"devices": result, "broker": told.value}, ensure_ascii=False))
        return
    for one in enrolled:
        where = f"at {one.board.place}" if one.board.place else "spare"
        keys = f"keys {one.keys.generation}" if one.keys else "needs no keys"
        print(f"{one.board.device}: {one.board.profile} {where}, {keys}")
    if any(one.keys is None or one.keys.psk is not None for one in enrolled):
        print_broker(told, config)
    if any(one.keys is None for one in enrolled):
        print("gateway: drives this display itself once it is started again")
    else:
        print("gateway: sees the change by itself, within a second or two")


def print_broker(told: Told, config: Path) -> None:
    """How it stands with mosquitto, for a person."""
    elsewhere = (
        f"mosquitto: is not on this machine; copy {config.parent / 'mosquitto'}/psk and acl to it, "
        "and have it reload"
    )
    print(_BROKER.get(told, elsewhere))


def _boards(
    devices: list[str],
    profile: str | None,
    place: Place | None,
    spare: bool,
    listed: Path | None,
) -> list[Board]:
    """The boards of these options. UserError (EX_USAGE): they do not go together."""
    if listed is not None:
        if devices or spare:
            raise UserError("--from names all devices; leave out the others", os.EX_USAGE)
        return read_boards(listed, profile, place)
    if not devices:
        raise UserError("name a device, e.g. kp-1, or a file with --from", os.EX_USAGE)
    if profile is None:
        raise UserError("--profile is missing; hall profile list names them", os.EX_USAGE)
    if spare == (place is not None):
        raise UserError("give exactly one of --window, --zone and --spare", os.EX_USAGE)
    return [Board(device, profile, place) for device in devices]


def _place(window: str | None, zone: str | None) -> Place | None:
    if window is not None and zone is not None:
        raise UserError("give exactly one of --window, --zone and --spare", os.EX_USAGE)
    return None if window is None and zone is None else Place(window, zone)


def _told_of(one: Enrolled, enrolment: Enrolment) -> dict[str, object]:
    """What may be told of a device: where its keys lie, never the keys."""
    place = one.board.place or Place()
    return {
        "device": one.board.device,
        "profile": one.board.profile,
        "window": place.window,
        "zone": place.zone,
        "generation": one.keys.generation if one.keys else None,
        "keys": str(enrolment.store.path(one.board.device)) if one.keys else None,
    }
