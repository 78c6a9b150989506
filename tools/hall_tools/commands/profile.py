"""`hall profile`: look at device profiles, and check one before it reaches a device.

Here: options, tables and exit codes. Not here: what a right profile is, and what the reference page
says (`hall_profiles`).
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from hall_profiles import Profile, ProfileError, builtin_names, load, reference
from rich.console import Console
from rich.table import Table

from hall_tools.errors import UserError

app = typer.Typer(no_args_is_help=True, help="Device profiles: list, show, check.")

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command("list")
def list_profiles(as_json: Json = False) -> None:
    """List the device models that ship with Hallkit."""
    profiles = [load(name) for name in builtin_names()]
    if as_json:
        keys = ("name", "version", "title", "role", "transport")
        _print_json([_pick(profile, keys) for profile in profiles])
        return
    rows = [(p.name, p.role, p.board.chip, f"{p.title.zh}  {p.title.en}") for p in profiles]
    # In a pipe a row is a line, for grep.
    width = None if sys.stdout.isatty() else 200
    _print_table(("profile", "role", "chip", "title"), rows, width)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A built-in profile's name, or a file.")],
    as_json: Json = False,
) -> None:
    """Show a device's board, pins, settings, events and states."""
    try:
        profile = load(name)
    except ProfileError as error:
        raise UserError(str(error)) from None
    if as_json:
        _print_json(profile.model_dump(mode="json", exclude_none=True))
    else:
        _show(profile)


@app.command()
def check(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="Files or built-in names; all built-in ones if none."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check profiles: one line for a good one, one line for every error of a bad one.

    An error reads FILE:LINE: FIELD: what is wrong; what would be right.

    Exit code: 0 when all are good, 65 when any is not.
    """
    results: list[dict[str, object]] = []
    bad = 0
    for name in files or builtin_names():
        try:
            profile = load(name)
        except ProfileError as error:
            bad += 1
            problems = [problem._asdict() for problem in error.problems]
            results.append({"profile": str(name), "ok": False, "problems": problems})
            if not as_json:
                print(error)
        else:
            results.append({"profile": str(name), "ok": True, "problems": []})
            if not as_json:
                print(f"{name}: good, {profile.role} on {profile.board.chip}")
    if as_json:
        _print_json(results)
    if bad:
        raise typer.Exit(os.EX_DATAERR)


@app.command()
def docs() -> None:
    """Print docs/reference/profiles.md, generated from the built-in profiles."""
    print(reference.reference_page([load(name) for name in builtin_names()]), end="")


def _show(profile: Profile) -> None:
    print(f"{profile.name}, version {profile.version}")
    print(f"{profile.title.zh} · {profile.title.en}")
    print(f"{profile.role} over {profile.transport}")
    print(f"{profile.board.words()}\n")
    _print_table(("pin", "GPIO"), [(name, str(pin)) for name, pin in profile.pins.items()])
    _print_table((f"driver {profile.driver.name}", "value"), reference.driver_rows(profile))
    _print_table(("setting", "value", "range", "title"), reference.setting_rows(profile))
    _print_table(("event", "title", "field", "value"), reference.event_rows(profile.events))
    if profile.desired:
        _print_table(("desired", "value"), reference.field_rows(profile.desired))
    if profile.views:
        _print_table(("view", "needs", "may have"), reference.view_rows(profile))
    _print_table(("shows", "value"), reference.field_rows(profile.shows))
    if profile.battery:
        _print_table(("battery", "value"), reference.battery_rows(profile))


def _print_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], width: int | None = None
) -> None:
    table = Table(*head, box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False, width=width)
    console.print(table)
    console.print()


def _print_json(data: object) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2))


def _pick(profile: Profile, keys: Sequence[str]) -> dict[str, object]:
    data = profile.model_dump(mode="json", exclude_none=True)
    return {**{key: data[key] for key in keys}, "chip": profile.board.chip}
