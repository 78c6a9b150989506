"""Which MicroPython each image is built on: files that the installer gave, or the official ones.

Here: the choice, reading each once, and showing a download. Not here: the download itself
(download.py).
"""

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from hall_tools.errors import UserError
from hall_tools.image.base import Base
from hall_tools.image.download import official, pins
from hall_tools.image.order import Order


class Bases:
    """MicroPython by chip. With `files` those and no other: nothing is downloaded then."""

    def __init__(self, files: list[Path]) -> None:
        self._given = bool(files)
        self._read: dict[str, Base] = {}
        for file in files:
            base = Base.read(file)
            if (other := self._read.get(base.chip)) is not None:
                raise UserError(
                    f"{file}: for {base.chip}, as {other.where} is; give one for each chip"
                )
            self._read[base.chip] = base

    def of(self, order: Order) -> Base:
        """What the image of one device is built on. Raises UserError."""
        chip = order.config["chip"]
        if chip not in self._read and not self._given:
            self._read[chip] = _downloaded(chip)
        base = self._read.get(chip) or next(iter(self._read.values()))
        base.check_chip(order.config["profile"], chip)
        return base


def _downloaded(chip: str) -> Base:
    pin = pins()[chip]
    console = Console(stderr=True)
    if not console.is_terminal:
        return Base.read(official(pin, lambda come, _: come or _log(f"downloading {pin.url}")))
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(pin.name, total=pin.size, visible=False)

        def told(come: int, size: int) -> None:
            progress.update(task, completed=come, total=size, visible=True)

        return Base.read(official(pin, told))


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
