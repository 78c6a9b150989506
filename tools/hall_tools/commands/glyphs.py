"""`hall glyphs`: the font of the matrix displays."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hall_tools import mpy
from hall_tools.glyphs import UNIFONT, build

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _main() -> None:  # pyright: ignore[reportUnusedFunction]
    """The font of the matrix displays."""


@app.command("build")
def build_command(
    font: Annotated[Path, typer.Option(help="GNU Unifont in PCF, BDF or OpenType.")] = UNIFONT,
    out: Annotated[
        Path | None, typer.Option(help="The pack to write; without it the firmware's glyphs.bin.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Build the glyph pack: ASCII and GB 2312, 16 pixels high."""
    target = out or mpy.firmware_root() / "hall" / "glyphs.bin"
    size = build(font, target)
    if as_json:
        print(json.dumps({"file": str(target), "bytes": size}))
    else:
        print(f"{target}: {size} bytes")
