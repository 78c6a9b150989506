"""`hall gateway setup`: make this machine a hall's gateway.

Here: options, output, exit codes. Not here: the steps (hall_tools.gateway_setup).
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hall_tools.errors import UserError
from hall_tools.gateway_setup import layout
from hall_tools.gateway_setup.machine import Machine
from hall_tools.gateway_setup.notes import Note
from hall_tools.gateway_setup.plan import make_plan, own_program
from hall_tools.gateway_setup.steps import Result, run


def setup(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be written and done.")
    ] = False,
    root: Annotated[
        Path,
        typer.Option(
            "--root",
            exists=True,
            file_okay=False,
            resolve_path=True,
            help="The folder in which the machine's own files lie, e.g. a mounted SD card.",
        ),
    ] = Path("/"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Make this machine a hall's gateway: mosquitto, services, a user, folders, settings.

    Run again it changes nothing that is right already. A file that was changed by hand is kept,
    and the difference is shown.
    """
    machine = Machine(root)
    _check(machine, dry_run)
    plan = make_plan(machine, own_program())
    results: list[Result] = []

    def told(result: Result) -> None:
        results.append(result)
        if not as_json:
            _print(result)

    run(plan.steps, machine, dry_run=dry_run, told=told)
    notes = plan.notes()
    if as_json:
        steps = [
            {"step": r.name, **asdict(r.look), "owner": r.owner, "mode": r.mode} for r in results
        ]
        print(
            json.dumps(
                {"steps": steps, "notes": [asdict(note) for note in notes]},
                ensure_ascii=False,
                indent=1,
            )
        )
    else:
        _close(results, notes, dry_run)


def _check(machine: Machine, dry_run: bool) -> None:
    if not machine.is_root and not dry_run:
        raise UserError(
            "hall gateway setup: only root may do this: run it with sudo, or look first with "
            "--dry-run",
            os.EX_NOPERM,
        )
    if machine.account(layout.BROKER_USER) is None and not dry_run:
        raise UserError(
            f"there is no user {layout.BROKER_USER}, so mosquitto is not installed: "
            "sudo apt-get install mosquitto",
            os.EX_UNAVAILABLE,
        )


def _print(result: Result) -> None:
    look = result.look
    print(f"{look.state:9}  {result.name}{': ' if look.detail else ''}{look.detail}", flush=True)
    if look.text:
        print("".join(f"    | {line}\n" for line in look.text.splitlines()), end="")


def _close(results: Sequence[Result], notes: Sequence[Note], dry_run: bool) -> None:
    for note in notes:
        print(f"note: {note.text}\n      -> {note.advice}")
    due = sum(result.look.state in ("done", "due") for result in results)
    if not due:
        print("nothing to do: this gateway is set up")
    elif dry_run:
        print(f"{due} of {len(results)} steps would be done; nothing was changed")
    else:
        print(
            f"{due} of {len(results)} steps done. Next: put the hall into {layout.CONFIG}, "
            "then: sudo hall doctor"
        )
