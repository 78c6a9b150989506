"""`hall fleet config`: the files of a back office on machines of its own.

Here: options, output, what is kept. Not here: what is in the files (hall_tools.fleet.production).
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from hall_tools.commands.options import JsonOption
from hall_tools.errors import UserError
from hall_tools.fleet.credentials import Credentials
from hall_tools.fleet.layout import Layout, Remembered
from hall_tools.fleet.production import FOLDER, Production, contents

Done = Literal["written", "as it is", "differs"]


def config(
    folder: Annotated[
        Path,
        typer.Option("--dir", metavar="FOLDER", help="Where the keys and files are, or will be."),
    ],
    nodes: Annotated[
        list[str] | None,
        typer.Option("--node", metavar="HOST", help="A NATS node's host name; three of them."),
    ] = None,
    postgres: Annotated[
        str | None,
        typer.Option(
            metavar="HOST", help="PostgreSQL's host name, when workers run on another machine."
        ),
    ] = None,
    program: Annotated[
        Path, typer.Option(help="Where hall is installed on the record's machine.")
    ] = Path("/opt/hallkit/.venv/bin/hall"),
    store_gb: Annotated[
        int, typer.Option(min=2, max=100_000, help="GB for streams on each node's disk.")
    ] = 100,
    months: Annotated[
        int, typer.Option(min=1, max=1200, help="Whole months of events that the record keeps.")
    ] = 24,
    as_json: JsonOption = False,
) -> None:
    """Write the files of a back office for production, and its keys when there are none yet.

    Three nats-servers with TLS on machines of their own; PostgreSQL, workers and console on one
    more. A file that you have changed is kept, and the new one is put beside it as FILE.new. What
    to do with them: docs/back-office-fleet.md.

        hall fleet config --dir office --node nats-1.example.com --node nats-2.example.com \\
            --node nats-3.example.com
    """
    if not program.is_absolute():
        raise UserError(f"--program {program}: give the whole path", os.EX_USAGE)
    wanted = Production(tuple(nodes or ()), postgres, program, store_gb, months)
    wanted.check()
    layout = Layout(folder)
    before = layout.remembered()
    if before is not None and before.ports is not None:
        raise UserError(
            f"{layout.folder} is a trial's folder, whose keys are on a machine for trying things: "
            "choose another",
            os.EX_USAGE,
        )
    layout.folder.mkdir(parents=True, exist_ok=True)
    credentials = Credentials(layout.keys)
    layout.write_accounts(credentials)
    own_ca = layout.folder / "ca.crt"
    layout.remember(
        Remembered(servers=wanted.servers, ca_file=own_ca.name if own_ca.exists() else None)
    )
    done: dict[str, Done] = {
        path: _put(layout.folder / FOLDER / path, text) for path, text in contents(wanted).items()
    }
    if as_json:
        print(json.dumps({"folder": str(layout.folder / FOLDER), "files": done}))
    else:
        _tell(layout, done)


def _put(path: Path, text: str) -> Done:
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8") if path.exists() else None
    if before == text:
        return "as it is"
    beside = path.with_name(f"{path.name}.new")
    target = path if before is None else beside
    target.write_text(text, encoding="utf-8")
    target.chmod(0o755 if text.startswith("#!") else 0o644)
    return "written" if before is None else "differs"


def _tell(layout: Layout, done: dict[str, Done]) -> None:
    for path, what in done.items():
        print(
            f"{layout.folder / FOLDER / path}: {what}" + (", see .new" if what == "differs" else "")
        )
    print(f"keys: {layout.keys} (keep a copy where nobody else can get at it)")
    print(f"of each NATS node, too: {layout.accounts}")
    if not (layout.folder / "ca.crt").exists():
        print(
            f"hall: put your CA's certificate into {layout.folder}/ca.crt, and do this again, when "
            "it is one of your own",
            file=sys.stderr,
        )
