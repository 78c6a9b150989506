"""`hall firmware`: what goes onto a device.

Here: options, tables and exit codes. Not here: how the firmware is compiled (`hall_tools.mpy`).
"""

import json
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hall_tools import mpy
from hall_tools.errors import UserError

app = typer.Typer(no_args_is_help=True, help="The firmware that is deployed to devices.")

#: All modules together, compiled, without native code and data.
BUDGET_BYTES = 60 * 1024


@app.callback()
def _firmware() -> None:  # pyright: ignore[reportUnusedFunction] (typer: keeps `size` a subcommand)
    pass


@app.command()
def size(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Compile every module and compare their size with the budget of 60 KB.

    Exit code: 0 within the budget, 1 above it.
    """
    sizes = {
        name: len(content) for name, content in mpy.application().items() if name.endswith(".mpy")
    }
    total = sum(sizes.values())
    if as_json:
        result = {"modules": sizes, "total": total, "budget": BUDGET_BYTES}
        print(json.dumps(result))
    else:
        _show(sizes, total)
    if total > BUDGET_BYTES:
        raise UserError(
            f"the modules are {total} bytes, {total - BUDGET_BYTES} above the budget", 1
        )


def _show(sizes: dict[str, int], total: int) -> None:
    table = Table("module", box=None)
    table.add_column("bytes", justify="right")
    for name, count in sizes.items():
        table.add_row(name, f"{count:,}")
    table.add_section()
    table.add_row("total", f"{total:,}")
    table.add_row("budget", f"{BUDGET_BYTES:,}")
    Console(width=None if os.isatty(1) else 100).print(table)
