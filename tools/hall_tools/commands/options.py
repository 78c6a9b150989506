"""Options that several commands have, each said once.

Here: their names, help and defaults. Not here: an option of one command alone.
"""

from pathlib import Path
from typing import Annotated

import typer

from hall_tools.gateway_setup import layout

HALL_TOML = Path(layout.CONFIG)

InputsOption = Annotated[
    Path, typer.Option("--config", help="hall.toml; keys and wifi.toml lie beside it.")
]
BaseOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="MicroPython's .bin, one a chip; without it the official one is downloaded once.",
    ),
]
ReleaseOption = Annotated[
    Path | None,
    typer.Option(
        "--release",
        metavar="FILE",
        help="A signed .release in place of the firmware of this hall command.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
