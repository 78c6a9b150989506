"""Making a board's flash hold an image: what differs, in an order that survives a pulled cable.

Here: what is written, when, and when not at all. Not here: the boot loader's commands (board.py).

**Order.** The identity is written last, one of its two copies at a time: a board that was left half
done is nobody's, or still whose it was, and the next run does what is missing.

**The journal** holds events that nobody has taken yet. A board that is this device already keeps
it. Any other board gets an empty one, as its events are not this device's; but a board that is
another device, or that has events of nobody knows whom, is refused unless `wipe` says that they may
be lost: it is mostly the wrong board that was plugged in.
"""

import os
import struct
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

from hall_tools.flash import advice
from hall_tools.flash.difference import Run, differing
from hall_tools.flash.occupant import Occupant, Place, holds_events, occupant
from hall_tools.flash.ports import Port
from hall_tools.image import Image, Region
from hall_tools.image.layout import SECTOR

_LAST = "ident"
_JOURNAL = "jrnl"

Stage = Literal["comparing", "writing", "verifying", "starting"]
Told = Callable[[Stage, int, int], None]
"""Stage, bytes done and bytes in all; may raise to stop."""


class FlashBoard(Protocol):
    """What is needed of board.Board."""

    port: Port
    chip: str
    flash_mb: float
    mac: str
    revision: int

    def md5(self, address: int, size: int) -> str: ...
    def read(self, address: int, size: int) -> bytes: ...
    def write(self, address: int, content: bytes, told: Callable[[int], None]) -> None: ...


class Flashed(NamedTuple):
    """`written` of `total` bytes, which are those of all regions that were compared."""

    written: int
    total: int
    journal: Literal["kept", "new"]


def check_fits(board: FlashBoard, image: Image) -> None:
    """Raises BoardError when the board has another chip than the image, or too little flash."""
    port = board.port.name
    if board.chip != image.chip:
        raise advice.BoardError(
            f"{port}: wrong chip: this board has an {board.chip}, and {image.device} "
            f"({image.profile}) needs an {image.chip}; plug in a board with an {image.chip}"
        )
    if board.flash_mb < image.flash_mb:
        raise advice.BoardError(
            f"{port}: flash too small: this board has {board.flash_mb:g} MB, and {image.device} "
            f"({image.profile}) needs {image.flash_mb} MB; use a board with more"
        )
    needed = _revision(image)
    if board.revision < needed:
        raise advice.BoardError(
            f"{port}: chip too old: this board has an {board.chip} {_version(board.revision)}, and "
            f"this MicroPython needs {_version(needed)} or newer; use a newer board"
        )


def keeps_journal(board: FlashBoard, image: Image, was: Occupant, wipe: bool) -> bool:
    """Whether the journal stays. Raises BoardError when events would be lost, unless `wipe`."""
    journal = next(Place(r.offset, len(r.content)) for r in image.regions if r.name == _JOURNAL)
    if wipe or was.journal is None:
        return False
    if was.device == image.device and was.journal == journal:
        return True
    port, sure = board.port.name, "--wipe-journal, if its events may be lost"
    if was.device is not None and was.device != image.device:
        raise advice.BoardError(
            f"{port}: this board is {was.device}, not {image.device}; plug in the right one, or "
            f"make it {image.device} with {sure}",
            os.EX_USAGE,
        )
    if holds_events(board, was.journal):
        whose = "of an unknown device" if was.device is None else "in another place than ours"
        raise advice.BoardError(
            f"{port}: this board holds events {whose}; flash it with {sure}", os.EX_USAGE
        )
    return False


def flash(
    board: FlashBoard,
    image: Image,
    told: Told,
    *,
    wipe: bool = False,
    before_identity: Callable[[], None] = lambda: None,
) -> Flashed:
    """Make the board hold `image`, and verify it. Raises BoardError.

    `before_identity` is called when only the identity is left to write: from then on the board is
    this device.
    """
    check_fits(board, image)
    keep = keeps_journal(board, image, occupant(board), wipe)
    regions = [r for r in image.regions if r.name != _LAST and not (keep and r.name == _JOURNAL)]
    identity = [copy for r in image.regions if r.name == _LAST for copy in _sectors(r)]
    work = _Work(board, sum(len(r.content) for r in (*regions, *identity)), told)
    work.do(regions)
    before_identity()
    for copy in identity:
        work.do([copy])
    return Flashed(work.written, work.total, "kept" if keep else "new")


class _Work:
    """Regions brought onto a board, and how far that has come."""

    def __init__(self, board: FlashBoard, total: int, told: Told) -> None:
        self.total = total
        self.written = 0
        self._board = board
        self._told = told

    def do(self, regions: list[Region]) -> None:
        self._write(self._compare("comparing", regions))
        if wrong := self._compare("verifying", regions):
            self._write(wrong)
            if still := self._compare("verifying", regions):
                raise advice.not_held(self._board.port.name, still[0].address)

    def _compare(self, stage: Stage, regions: list[Region]) -> list[Run]:
        total = sum(len(region.content) for region in regions)
        runs: list[Run] = []
        done = 0
        for region in regions:
            self._told(stage, done, total)
            runs += differing(self._board.md5, region.offset, region.content)
            done += len(region.content)
        return runs

    def _write(self, runs: list[Run]) -> None:
        total = sum(len(run.content) for run in runs)
        done = 0

        def told(size: int) -> None:
            nonlocal done
            done += size
            self._told("writing", done, total)

        for run in runs:
            self._board.write(run.address, run.content, told)
        self.written += total


def _revision(image: Image) -> int:
    """The oldest chip that the application starts on, 100 * major + minor.

    ESP-IDF programming guide, "App Image Format": min_chip_rev_full.
    """
    application = next(each.content for each in image.regions if each.name == "factory")
    return struct.unpack_from("<H", application, 15)[0]


def _version(revision: int) -> str:
    return f"v{revision // 100}.{revision % 100}"


def _sectors(region: Region) -> list[Region]:
    return [
        Region(region.name, region.offset + at, region.content[at : at + SECTOR])
        for at in range(0, len(region.content), SECTOR)
    ]
