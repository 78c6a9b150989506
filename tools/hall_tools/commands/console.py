"""`hall console`: the hall manager's web page, and who may log in there.

Here: options, output, exit codes, asking for passwords. Not here: the page (hall_gateway.console).
"""

import asyncio
import getpass
import json
import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from hall_gateway.config import load_config
from hall_gateway.console.listener import ConsoleStartError
from hall_gateway.console.serve import serve
from hall_gateway.console.users import Role, Users, UsersError
from hall_gateway.toml_input import ConfigError

from hall_tools.commands.options import HALL_TOML, JsonOption
from hall_tools.errors import UserError

app = typer.Typer(no_args_is_help=True, help="The hall manager's web page, and its users.")
user = typer.Typer(no_args_is_help=True, help="Who may log in at the console.")
app.add_typer(user, name="user")

ConfigOption = Annotated[
    Path, typer.Option("--config", help="The gateway's TOML file, with a \\[console] table.")
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name to log in with.")]


@app.command()
def run(config: ConfigOption) -> None:
    """Serve the page until SIGTERM or Ctrl-C; logs go to stderr."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)-7s %(message)s"
    )
    try:
        asyncio.run(serve(config, lambda line: print(line, flush=True)))
    except ConsoleStartError as error:
        raise UserError(str(error), os.EX_UNAVAILABLE) from None
    except (ConfigError, UsersError) as error:
        raise UserError(str(error), os.EX_CONFIG) from None


@user.command()
def add(
    name: NameArgument,
    role: Annotated[
        Role,
        typer.Option(
            help="viewer: sees; manager: acts on alerts and tasks, shows texts; technician: "
            "also commands devices."
        ),
    ],
    config: ConfigOption = HALL_TOML,
) -> None:
    """Add a user. The password is asked for, or read from stdin; never given as an argument."""
    users = _users(config)
    with _told():
        users.add(name, role, _asked())
    print(f"{name}: {role}, in {users.path}")


@user.command()
def remove(name: NameArgument, config: ConfigOption = HALL_TOML) -> None:
    """Remove a user, who is logged out at once."""
    with _told():
        _users(config).remove(name)
    print(f"{name}: removed")


@user.command()
def password(name: NameArgument, config: ConfigOption = HALL_TOML) -> None:
    """Give a user a new password, asked for or read from stdin; all sessions of before end."""
    with _told():
        _users(config).set_password(name, _asked())
    print(f"{name}: has a new password")


@user.command("list")
def show(config: ConfigOption = HALL_TOML, as_json: JsonOption = False) -> None:
    """Who may log in, and as what."""
    with _told():
        known = _users(config).all()
    if as_json:
        rows = [{"name": each.name, "role": each.role} for each in known.values()]
        print(json.dumps(rows, ensure_ascii=False))
        return
    for each in known.values():
        print(f"{each.name}: {each.role}")


def _users(config: Path) -> Users:
    try:
        settings = load_config(config, secrets=False).console
    except ConfigError as error:
        raise UserError(str(error), os.EX_CONFIG) from None
    return Users(settings.users(config))


def _asked() -> str:
    """A password from the keyboard, twice, or from a pipe. Never an argument: others see those."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    given = getpass.getpass("Password: ")
    if getpass.getpass("Password again: ") != given:
        raise UserError("the two passwords differ; nothing was changed")
    return given


@contextmanager
def _told() -> Generator[None]:
    """What is wrong with the users, as this command's error."""
    try:
        yield
    except UsersError as error:
        raise UserError(str(error), os.EX_DATAERR) from None
