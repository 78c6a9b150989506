"""`hall native`: C into native MicroPython modules.

Here: options, what is printed, where files go. Not here: compiling and linking
(`hall_tools.native`).
"""

import json
import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from hall_tools.errors import UserError
from hall_tools.native.build import build as build_module
from hall_tools.native.build import build_own

app = typer.Typer(no_args_is_help=True, help="Native MicroPython modules from C.")


class Arch(str, Enum):  # noqa: UP042 (typer shows the values of a str enum)
    """MicroPython's names: ESP32, -S2 and -S3 run xtensawin, -C3 and -C6 rv32imc."""

    X64 = "x64"
    XTENSAWIN = "xtensawin"
    RV32IMC = "rv32imc"


@app.callback()
def _native() -> None:  # pyright: ignore[reportUnusedFunction] (typer: keeps `build` a subcommand)
    pass


@app.command()
def build(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="A C file with mpy_init, which may include others. Default: Hallkit's."
        ),
    ] = None,
    arch: Annotated[
        list[Arch] | None, typer.Option("--arch", help="Repeat for several. Default: all.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The folder for the .mpy files.")] = Path(
        "build/native"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compile and link a module for MicroPython 1.24 and newer: NAME_ARCH.mpy for each machine.

    Needs Debian's gcc for x64, clang-22 and llvm-22 for the others. See docs/native-linker.md.
    """
    name = source.stem if source else "scan"
    built: list[dict[str, str | int]] = []
    for wanted in [choice.value for choice in arch or list(Arch)]:
        content = build_module(source, wanted, name) if source else build_own(wanted)
        path = out / f"{name}_{wanted}.mpy"
        _write(path, content)
        built.append({"arch": wanted, "file": str(path), "bytes": len(content)})
        if not as_json:
            print(f"{path}: {len(content):,} bytes")
    if as_json:
        print(json.dumps(built))


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}", os.EX_CANTCREAT) from error
