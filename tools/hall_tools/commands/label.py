"""`hall label`: labels for devices, one picture each or sheets to print.

Here: options, output, exit codes. Not here: what is on a label (hall_tools.label).
"""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from hall_gateway.config import load_profile
from hall_gateway.files import FileError, write_secret
from hall_profiles import ProfileError

from hall_tools.commands.enroll import ConfigOption
from hall_tools.commands.options import HALL_TOML, JsonOption
from hall_tools.enrolment import Enrolment
from hall_tools.errors import UserError
from hall_tools.label.content import Label
from hall_tools.label.sheet import SHEETS, Sheet, pages, picture
from hall_tools.registry import Place, Registry


def label(
    devices: Annotated[
        list[str] | None, typer.Argument(metavar="DEVICE", help="Default: all of the hall.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="DIR", help="A picture each, in this folder.")
    ] = None,
    pdf: Annotated[
        Path | None, typer.Option("--pdf", metavar="FILE", help="Sheets of labels to print.")
    ] = None,
    sheet: Annotated[
        str, typer.Option("--sheet", help=f"The labels' size: {', '.join(SHEETS)} to a page.")
    ] = "a4-24",
    config: ConfigOption = HALL_TOML,
    as_json: JsonOption = False,
) -> None:
    """Print labels: a QR code, the device's id, its model and where it goes.

    The code carries the claim that opens the device's serial console: keep the files private, and
    put a new label on a device that was enrolled again.
    """
    if (png is None) == (pdf is None):
        raise UserError("give one of --png DIR and --pdf FILE", os.EX_USAGE)
    if sheet not in SHEETS:
        raise UserError(f"--sheet {sheet}: right: one of {', '.join(SHEETS)}", os.EX_USAGE)
    labels = _labels(Enrolment(config), Registry(config), devices or [])
    written = _write(labels, SHEETS[sheet], png, pdf)
    if as_json:
        told = {"devices": [one.device for one in labels], "files": [str(path) for path in written]}
        print(json.dumps(told, ensure_ascii=False))
        return
    for path in written:
        print(path)
    print("each label carries its device's claim: keep the files private, delete them once printed")


def _labels(enrolment: Enrolment, registry: Registry, devices: list[str]) -> list[Label]:
    keys = {found.device: found for found in enrolment.devices()}
    wanted = devices or [name for name, found in keys.items() if found.revoked is None]
    if not wanted:
        raise UserError("no device is enrolled yet; see hall enroll", os.EX_UNAVAILABLE)
    labels: list[Label] = []
    for device in wanted:
        found = keys.get(device)
        if found is None or found.revoked is not None:
            what = "is revoked" if found else "was never enrolled"
            raise UserError(f"{device}: {what}; no label was made. See hall enroll")
        stands = registry.device(device)
        place = None if stands is None else Place(stands.window, stands.zone)
        try:
            profile = load_profile(found.profile)
        except ProfileError as error:
            raise UserError(str(error)) from None
        labels.append(Label(device, profile, place, found))
    return labels


def _write(labels: list[Label], sheet: Sheet, png: Path | None, pdf: Path | None) -> list[Path]:
    files: dict[Path, bytes] = {}
    if pdf is not None:
        files[pdf] = pages(labels, sheet)
    elif png is not None:
        files = {png / f"{one.device}.png": picture(one, sheet) for one in labels}
    try:
        if png is not None:
            png.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            write_secret(path, content)
    except OSError as error:
        raise UserError(f"{png}: {error.strerror}", os.EX_CANTCREAT) from None
    except FileError as error:
        raise UserError(str(error), os.EX_CANTCREAT) from None
    return list(files)
