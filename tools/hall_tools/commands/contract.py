"""`hall contract`: the contract with the hall system as documents.

Here: options and exit codes. Not here: what the documents say (`hall_gateway.contract`).
"""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from hall_gateway.contract import build as contract

app = typer.Typer(no_args_is_help=True, help="The contract: AsyncAPI, JSON Schemas, a page.")


@app.callback()
def _contract() -> None:  # pyright: ignore[reportUnusedFunction] (typer: keeps `build` a command)
    pass


@app.command()
def build(
    folder: Annotated[Path, typer.Argument(help="Where the files go.", file_okay=False)] = Path(
        "docs/reference/contract"
    ),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; say what is not up to date.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write asyncapi.yaml, asyncapi-devices.yaml, contract.md and schemas/, made from the code.

    Exit code: 0; with --check 65 when a file is not as the code has it.
    """
    changed = list(contract.stale(folder, contract.files())) if check else contract.write(folder)
    if as_json:
        print(json.dumps({"folder": str(folder), "checked": check, "changed": changed}))
    else:
        for path in changed:
            print(f"{folder / path}{': not up to date' if check else ''}")
        if check and changed:
            print("write them anew with: hall contract build")
    if check and changed:
        raise typer.Exit(os.EX_DATAERR)
