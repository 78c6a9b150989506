"""One board from the cable to its first line of log: flashed, verified, restarted, watched.

Here: what is done to one board, alone or in a batch. Not here: which device it becomes
(assignment.py), and how it is shown.
"""

import time
from typing import NamedTuple

from hall_tools.flash.board import Board
from hall_tools.flash.flasher import Flashed, Told, flash
from hall_tools.flash.ledger import Ledger
from hall_tools.flash.start import Started, started
from hall_tools.image import Image


class Plan(NamedTuple):
    """An image for a board. `generation` is that of its keys; None for an image from a file, of
    which nobody keeps a record."""

    image: Image
    generation: int | None
    wipe: bool = False


class Result(NamedTuple):
    """`started` is how the firmware's start went, None when that could not be seen; `reset` whether
    the board was restarted at all. `seconds` is from the connection to here."""

    device: str
    port: str
    mac: str
    chip: str
    flashed: Flashed
    reset: bool
    started: Started | None
    seconds: float

    def words(self) -> str:
        """The result in a line."""
        done = (
            f"{self.flashed.written:,} of {self.flashed.total:,} bytes written"
            if self.flashed.written
            else "nothing differed"
        )
        start = (
            self.started.words()
            if self.started
            else "restarted, and nothing was seen of its start: hall diag asks it"
            if self.reset
            else "press EN (or RST) to start it"
        )
        return (
            f"{self.device}: board {self.mac} on {self.port}: {done}, verified, journal "
            f"{self.flashed.journal}, {self.seconds:.0f} s; {start}"
        )

    def json(self) -> dict[str, object]:
        """The result for other programs."""
        told: dict[str, object] = {"ok": True}
        started = self.started._asdict() if self.started else None
        return told | self._asdict() | {"flashed": self.flashed._asdict(), "started": started}


def bring(board: Board, plan: Plan, ledger: Ledger | None, told: Told) -> Result:
    """Flash a board, and start it. Raises UserError."""
    begun = time.monotonic()
    image = plan.image

    def note() -> None:
        if ledger and plan.generation is not None:
            ledger.note(image.device, plan.generation, board.mac)

    if ledger and plan.generation is not None:
        ledger.check(image.device, plan.generation, board.mac)
    flashed = flash(board, image, told, wipe=plan.wipe, before_identity=note)
    said = None
    if reset := board.can_reset():
        told("starting", 0, 0)
        said = started(board.restart(), board.port.name)
    seconds = time.monotonic() - begun
    port = board.port.words()
    return Result(image.device, port, board.mac, board.chip, flashed, reset, said, seconds)
