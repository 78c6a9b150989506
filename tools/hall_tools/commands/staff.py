"""`hall staff`: who may log in with a card or a PIN at a keypad's reader.

Here: options, output, and the file's place. Not here: what is in the file (hall_gateway.staff).
"""

import getpass
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from hall_gateway.config import load_config
from hall_gateway.files import FileError, put_file
from hall_gateway.staff import Member, Staff, read_staff
from hall_gateway.toml_input import ConfigError
from pydantic import ValidationError

from hall_tools.commands.options import HALL_TOML, JsonOption
from hall_tools.errors import UserError
from hall_tools.gateway_setup.layout import KEYS

app = typer.Typer(no_args_is_help=True, help="Who may log in with a card or PIN at a keypad.")

FileOption = Annotated[
    Path, typer.Option("--file", help=r"The file that \[staff] in hall.toml names.")
]
DEFAULT = HALL_TOML.with_name("staff.json")


@app.command()
def add(
    clerk: Annotated[
        str, typer.Argument(metavar="CLERK", help="The name that events give, e.g. 王芳.")
    ],
    card: Annotated[
        list[str] | None,
        typer.Option("--card", metavar="BITS:DATA", help="A card, as 26:1234567 or 34:…"),
    ] = None,
    pin: Annotated[
        bool, typer.Option("--pin", help="Ask for a PIN of 4 to 12 digits, or read it from stdin.")
    ] = False,
    file: FileOption = DEFAULT,
) -> None:
    """Give a clerk a card, a PIN, or both. A clerk who is there already gets them besides."""
    staff = _read(file) if file.exists() else Staff.new()
    members = {member.id: member for member in staff.staff}
    before = members.get(clerk, Member.model_construct(id=clerk, cards=[], pins=[]))
    if not card and not pin:
        raise UserError("nothing to add: give --card BITS:DATA, --pin, or both", os.EX_USAGE)
    pins = [staff.code(_asked())] if pin else []
    fields = {
        "id": clerk,
        "cards": sorted({*before.cards, *(card or ())}),
        "pins": sorted({*before.pins, *pins}),
    }
    try:
        members[clerk] = Member.model_validate(fields)
    except ValidationError as error:
        what = "a name has 1 to 32 printable characters"
        if error.errors()[0]["loc"][0] == "cards":
            what = (
                "a card is 26:DATA or 34:DATA, as the event card of its keypad says them: "
                "0 to 16777215 or 0 to 4294967295, without zeros before it"
            )
        raise UserError(what, os.EX_USAGE) from None
    others = [m for m in members.values() if m.id != clerk]
    for other in others:
        if {*other.cards, *other.pins} & {*members[clerk].cards, *members[clerk].pins}:
            raise UserError(f"that card or PIN is {other.id}'s; each belongs to one clerk")
    _write(file, Staff(key=staff.key, staff=list(members.values())))
    print(f"{clerk}: {len(members[clerk].cards)} cards, {len(members[clerk].pins)} PINs")


@app.command()
def remove(
    clerk: Annotated[str, typer.Argument(metavar="CLERK", help="The name.")],
    file: FileOption = DEFAULT,
) -> None:
    """Take all cards and PINs from a clerk."""
    staff = _read(file)
    left = [member for member in staff.staff if member.id != clerk]
    if len(left) == len(staff.staff):
        raise UserError(f"{clerk} is not in {file}; hall staff list shows who is")
    _write(file, Staff(key=staff.key, staff=left))
    print(f"{clerk}: removed")


@app.command("list")
def show(file: FileOption = DEFAULT, as_json: JsonOption = False) -> None:
    """Who is in the file; no card and no PIN is shown."""
    members = _read(file).staff
    if as_json:
        rows = [{"id": m.id, "cards": len(m.cards), "pins": len(m.pins)} for m in members]
        print(json.dumps(rows, ensure_ascii=False))
        return
    for member in members:
        print(f"{member.id}: {len(member.cards)} cards, {len(member.pins)} PINs")


def _asked() -> str:
    """A PIN from the keyboard, twice, or from a pipe. Never an argument: others see those."""
    if not sys.stdin.isatty():
        pin = sys.stdin.readline().strip()
    else:
        pin = getpass.getpass("PIN: ")
        if getpass.getpass("PIN again: ") != pin:
            raise UserError("the two PINs differ; nothing was changed")
    if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 12):
        raise UserError("a PIN has 4 to 12 digits; nothing was changed")
    return pin


def _read(file: Path) -> Staff:
    try:
        return read_staff(file)
    except ValueError as error:
        raise UserError(str(error), os.EX_CONFIG) from None


def _write(file: Path, staff: Staff) -> None:
    """Write the file, and let a gateway that runs take it: it follows its own settings file."""
    try:
        owner = _reader(file.parent)
        put_file(file, staff.model_dump_json().encode(), 0o600, owner.st_uid, owner.st_gid)
    except FileError as error:
        raise UserError(str(error), os.EX_CANTCREAT) from None
    settings = file.with_name("hall.toml")
    try:
        config = load_config(settings).staff
    except ConfigError:
        config = None
    if config is not None and config.file.resolve() == file.resolve():
        os.utime(settings)
    else:
        named = file.name if settings.exists() else file
        print(f'the gateway reads it once its hall.toml says: [staff] file = "{named}"')


def _reader(folder: Path) -> os.stat_result:
    """Whose file it has to be for the gateway to read it: the owner of its keys. FileError."""
    keys = folder / KEYS
    try:
        return (keys if keys.is_dir() else folder).stat()
    except OSError as error:
        raise FileError(f"{folder}: cannot use it: {error.strerror}") from None
