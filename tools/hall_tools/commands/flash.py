"""`hall flash`: firmware onto boards.

Here: options, output and exit codes. Not here: how it is done (hall_tools.flash).
"""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from hall_tools.commands.options import (
    HALL_TOML,
    BaseOption,
    InputsOption,
    JsonOption,
    ReleaseOption,
)
from hall_tools.errors import UserError
from hall_tools.flash import ports
from hall_tools.flash.assignment import Assignment
from hall_tools.flash.batch import STOPPED, Batch
from hall_tools.flash.board import Board
from hall_tools.flash.bring import Plan, Result, bring
from hall_tools.flash.image_file import read_image
from hall_tools.flash.ledger import Ledger
from hall_tools.flash.plans import Plans
from hall_tools.flash.ports import Port
from hall_tools.flash.show import Terminal

_CTRL_C = 130
"""128 + SIGINT, as of a program that the signal ends."""
_ONE_OR_ALL = "hall flash --port {}; all of them: hall flash --batch"


def flash(
    devices: Annotated[
        list[str] | None,
        typer.Argument(metavar="DEVICE", help="Id of an enrolled device; with --batch many."),
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Every board that is plugged in, several at once.")
    ] = False,
    port: Annotated[
        list[str] | None,
        typer.Option(metavar="P", help="The board's port; found without it. Batch: only these."),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file of hall image build, in place of DEVICE."),
    ] = None,
    base: BaseOption = None,
    release: ReleaseOption = None,
    config: InputsOption = HALL_TOML,
    wipe_journal: Annotated[
        bool,
        typer.Option(
            "--wipe-journal", help="Throw away the board's events; makes it another device."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a board the DEVICE: build its image, write what differs, verify it, and start it.

    An interrupted run leaves nothing that the next one does not complete.
    Events that the board has not delivered stay on it. A board that is
    another device already is refused.

    With --batch each board that is plugged in becomes the next DEVICE that
    fits its chip, and a board that is one of them stays it; without ids all
    enrolled devices have their turn, in the order of hall.toml, spares last.
    Each line says which label goes on which board. A board that fails is told, and its
    id goes to the next one. It ends when every device was flashed, or with
    Ctrl-C.
    """
    named, at = devices or [], [Port(name) for name in port or []]
    if batch:
        if image:
            raise UserError(
                "--image holds the keys of one device, which no two boards may share; give the "
                "devices' ids to --batch instead",
                os.EX_USAGE,
            )
        _batch(Plans(config, base or [], wipe_journal, release), named, at, as_json)
        return
    if len(named) + (image is not None) != 1 or len(at) > 1:
        raise UserError(
            "give one device and at most one --port, or --image FILE; several need --batch",
            os.EX_USAGE,
        )
    if image:
        result = _one(Plan(read_image(image), None, wipe_journal), None, at)
    else:
        plans = Plans(config, base or [], wipe_journal, release)
        result = _one(plans.plan(plans.wanted(named[0])), plans.ledger, at)
    print(json.dumps(result.json(), ensure_ascii=False) if as_json else result.words())


def _one(plan: Plan, ledger: Ledger | None, at: list[Port]) -> Result:
    port = at[0] if at else ports.only_board(_ONE_OR_ALL)
    with Terminal() as terminal, terminal.line(port) as line:
        line.name(plan.image.device)
        try:
            with Board(port) as board:
                return bring(board, plan, ledger, line.told)
        except KeyboardInterrupt:
            raise UserError(f"{port.name}: {STOPPED}", _CTRL_C) from None


def _batch(plans: Plans, named: list[str], at: list[Port], as_json: bool) -> None:
    for index, device in enumerate(named):
        if device in named[:index]:
            raise UserError(
                f"{device} is named twice: two boards with one id disturb each other; give each "
                "board its own",
                os.EX_USAGE,
            )
    wanted = [plans.wanted(device) for device in named or plans.enrolled()]
    assignment = Assignment(wanted, plans.ledger, plans.wipe)
    with Terminal(quiet=as_json) as terminal:
        batch = Batch(assignment, plans.plan, plans.ledger, terminal)
        if not at:
            terminal.say(f"{len(wanted)} devices; plug boards in, Ctrl-C to end")
        batch.run((lambda: at) if at else ports.boards, endless=not at)
    done = [*batch.results, *batch.failures]
    if as_json:
        print(json.dumps([each.json() for each in done], ensure_ascii=False))
    else:
        left = assignment.without_board()
        rest = f"; without a board: {', '.join(left)}" if left else ""
        print(f"{len(batch.results)} flashed, {len(batch.failures)} failed{rest}")
    raise typer.Exit(batch.exit_code())
