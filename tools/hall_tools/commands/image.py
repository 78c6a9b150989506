"""`hall image`: the flash images of devices, as files.

Here: options, files and output. Not here: what an image is made of (`hall_tools.image`), and how
it comes onto a board (`hall flash`).
"""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from hall_gateway.files import FileError, write_secret

from hall_tools.commands.options import (
    HALL_TOML,
    BaseOption,
    InputsOption,
    JsonOption,
    ReleaseOption,
)
from hall_tools.errors import UserError
from hall_tools.image import Image
from hall_tools.image import build as build_image
from hall_tools.image.bases import Bases
from hall_tools.image.order import Hall

app = typer.Typer(no_args_is_help=True, help="Flash images of devices.")


@app.callback()
def _image() -> None:  # pyright: ignore[reportUnusedFunction] (typer: keeps `build` a subcommand)
    pass


@app.command()
def build(
    devices: Annotated[
        list[str] | None, typer.Argument(metavar="DEVICE", help="Ids of enrolled devices.")
    ] = None,
    device: Annotated[
        list[str] | None, typer.Option(metavar="D", help="An id too; may be given again.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(metavar="P", help="Refuse a device that has another profile in hall.toml."),
    ] = None,
    config: InputsOption = HALL_TOML,
    base: BaseOption = None,
    release: ReleaseOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where to; a folder takes {device}.bin. Without it: ./{device}.bin"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the flash image of each DEVICE: MicroPython, firmware, configuration and keys.

    The same inputs make the same bytes. An image holds the device's keys and
    the Wi-Fi password, so only its owner can read the file.

    `hall flash` builds images by itself. A file is to be kept, or written with
    esptool write-flash 0 FILE.
    """
    named = [*(devices or []), *(device or [])]
    wanted = [name for at, name in enumerate(named) if name not in named[:at]]
    if not wanted:
        raise UserError("no device named; right: hall image build DEVICE", os.EX_USAGE)
    hall = Hall(config)
    orders = [hall.order(name, profile) for name in wanted]
    files = _files(wanted, out)
    bundle = None if release is None else hall.release(release)
    bases = Bases(base or [])
    told: list[dict[str, Any]] = []
    for order, base_of_it, file in zip(orders, [bases.of(o) for o in orders], files, strict=True):
        parts = (order.config, order.ident, order.flash_mb, bundle, order.keys)
        image = build_image(base_of_it, *parts)
        content = image.bytes
        _write(file, content)
        told.append(_summary(image, file, content))
        if not as_json:
            print(
                f"{image.device}: {image.profile} on {image.chip}, {image.flash_mb} MB, "
                f"MicroPython {image.micropython}: {file}"
            )
            sys.stdout.flush()
    if as_json:
        print(json.dumps(told, ensure_ascii=False))


def _files(devices: list[str], out: Path | None) -> list[Path]:
    """Where each device's image goes."""
    folder = Path() if out is None else out
    if out is not None and not out.is_dir():
        if len(devices) == 1:
            return [out]
        raise UserError(
            f"--out {out}: {len(devices)} images need a folder; make it first: mkdir -p {out}",
            os.EX_USAGE,
        )
    return [folder / f"{name}.bin" for name in devices]


def _write(file: Path, content: bytes) -> None:
    try:
        write_secret(file, content)
    except FileError as error:
        raise UserError(str(error), os.EX_CANTCREAT) from None


def _summary(image: Image, file: Path, content: bytes) -> dict[str, Any]:
    return {
        "device": image.device,
        "profile": image.profile,
        "chip": image.chip,
        "flash_mb": image.flash_mb,
        "micropython": image.micropython,
        "file": str(file),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "regions": [
            {"name": region.name, "offset": region.offset, "bytes": len(region.content)}
            for region in image.regions
        ],
    }
