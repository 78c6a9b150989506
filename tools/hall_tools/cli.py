"""The `hall` command: one console script for installers, technicians and the gateway's operator.

Here: how the subcommands hang together, and how an error is shown. Not here: what a subcommand
does; each lives in the module of its name in `hall_tools.commands`, as a Typer `app`, or as a
function when it has no commands of its own.
"""

import errno
import os
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from hall_tools.errors import UserError

_NAMES = (
    # In the order of the work: a hall, what is wrong, a look without hardware, what goes into it.
    *("gateway", "enroll", "flash", "label", "replace", "revoke", "staff", "rules", "console"),
    *("report", "update", "fleet", "ingest"),
    *("doctor", "diag"),
    *("demo", "show", "sim"),
    *("profile", "contract", "image", "firmware", "glyphs", "native", "bench"),
)


_CLICK_USAGE = 2
"""What Click ends with when an option or an argument is wrong; no command of ours does."""
_SYSTEM = {errno.ENOENT: os.EX_NOINPUT, errno.EACCES: os.EX_NOPERM, errno.EPERM: os.EX_NOPERM}


class _Commands(Mapping[str, Any]):
    """Imports a command's module when the command is wanted: all together take most of a second."""

    def __getitem__(self, name: str) -> Any:
        if name not in _NAMES:
            raise KeyError(name)
        module = import_module(f"hall_tools.commands.{name}")
        if hasattr(module, "app"):
            command: Any = get_group(module.app)
            command.name = name
            return command
        single = typer.Typer(add_completion=False)
        single.command(name)(getattr(module, name))
        return get_command(single)

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


class _Hall(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        commands: Any = _Commands()
        self.commands = commands

    def main(self, *args: Any, **settings: Any) -> Any:
        try:
            return super().main(*args, **settings)
        except SystemExit as ended:
            if ended.code == _CLICK_USAGE:
                sys.exit(os.EX_USAGE)
            raise


app = typer.Typer(
    name="hall",
    cls=_Hall,
    help="Hallkit: displays, keypads, counters and floor sensors whose figures can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"hallkit {version('hallkit')}")
        raise typer.Exit


@app.callback()
def _hall(  # pyright: ignore[reportUnusedFunction] (typer: the options of `hall` itself)
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None: ...


def _profile_error() -> type[Exception]:
    """Imported when something went wrong: a command that needs no profile starts without them."""
    return import_module("hall_profiles.errors").ProfileError


def _end(told: object, exit_code: int) -> NoReturn:
    print(f"hall: {told}", file=sys.stderr)
    sys.exit(exit_code)


def main() -> None:
    try:
        app()
    except UserError as error:
        _end(error, error.exit_code)
    except OSError as error:
        # Of a place that no command thought of: a full disk, a folder that may not be written.
        if error.filename is None or error.strerror is None:
            raise
        _end(f"{error.filename}: {error.strerror}", _SYSTEM.get(error.errno or 0, os.EX_IOERR))
    except _profile_error() as error:
        # Of a profile that this command takes for good, as each built-in one: somebody's own file.
        _end(error, os.EX_DATAERR)


if __name__ == "__main__":
    main()
