"""`hall console user` and `hall fleet user`: who may log in at a console.

Here: options, output, exit codes, asking for passwords. Not here: the users (hall_gateway.console).
"""

import getpass
import json
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from hall_gateway.console.users import Role, Users, UsersError

from hall_tools.commands.options import JsonOption
from hall_tools.errors import UserError

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name to log in with.")]


def users_app(
    users_of: Callable[[Path], Users], settings: Path, settings_help: str, roles_help: str
) -> typer.Typer:
    """The commands. `users_of` gives the users of a settings file and raises UserError;
    `settings` is that file when none is named."""
    user = typer.Typer(no_args_is_help=True, help="Who may log in at the console.")
    named: Any = typer.Option(settings, "--config", help=settings_help)

    @user.command()
    def add(  # pyright: ignore[reportUnusedFunction]
        name: NameArgument,
        role: Annotated[Role, typer.Option(help=roles_help)],
        config: Path = named,
    ) -> None:
        """Add a user. The password is asked for, or read from stdin; never given as an argument."""
        users = users_of(config)
        with _told():
            users.add(name, role, _asked())
        print(f"{name}: {role}, in {users.path}")

    @user.command()
    def remove(  # pyright: ignore[reportUnusedFunction]
        name: NameArgument, config: Path = named
    ) -> None:
        """Remove a user, who is logged out at once."""
        with _told():
            users_of(config).remove(name)
        print(f"{name}: removed")

    @user.command()
    def password(  # pyright: ignore[reportUnusedFunction]
        name: NameArgument, config: Path = named
    ) -> None:
        """Give a user a new password, asked for or read from stdin; all sessions of before end."""
        with _told():
            users_of(config).set_password(name, _asked())
        print(f"{name}: has a new password")

    @user.command("list")
    def show(  # pyright: ignore[reportUnusedFunction]
        config: Path = named, as_json: JsonOption = False
    ) -> None:
        """Who may log in, and as what."""
        with _told():
            known = users_of(config).all()
        if as_json:
            rows = [{"name": each.name, "role": each.role} for each in known.values()]
            print(json.dumps(rows, ensure_ascii=False))
            return
        for each in known.values():
            print(f"{each.name}: {each.role}")

    return user


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
