"""The `hall` command: one console script for installers, technicians and the gateway's operator.

Here: how the subcommands hang together, and how an error is shown. Not here: what a subcommand
does; each lives in `hall_tools.commands`.
"""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from hall_tools.commands import bench, demo, firmware, gateway, glyphs, native, profile, show, sim
from hall_tools.errors import UserError

app = typer.Typer(
    name="hall",
    help="Hallkit: displays, keypads, counters and floor sensors whose figures can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(profile.app, name="profile")
app.add_typer(firmware.app, name="firmware")
app.add_typer(glyphs.app, name="glyphs")
app.add_typer(native.app, name="native")
app.add_typer(bench.app, name="bench")
app.add_typer(sim.app, name="sim")
app.add_typer(gateway.app, name="gateway")
app.command("show")(show.show)
app.command("demo")(demo.demo)


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


def main() -> None:
    try:
        app()
    except UserError as error:
        print(f"hall: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
