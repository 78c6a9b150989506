"""Which device a board of a batch becomes.

Here: pure logic, for boards that appear in any order, fail, and come back. Not here: flashing.

A board that is one of the devices already stays it. Any other becomes the first device of the list
that fits its chip and flash, and that no board has; when it fails, the next board may have it.
"""

import os
import threading
from typing import NamedTuple

from hall_tools.errors import UserError
from hall_tools.flash.ledger import Ledger


class Wanted(NamedTuple):
    """A device that a board is wanted for; `generation` is that of its keys."""

    device: str
    chip: str
    flash_mb: int
    generation: int

    def words(self) -> str:
        """The device, and the board that it needs."""
        return f"{self.device} ({self.chip}, {self.flash_mb} MB)"


class AlreadyDoneError(Exception):
    """This very board was flashed in this batch; `device` is what it is."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.device = device


class Assignment:
    """The devices of a batch, in the order in which boards get them. Safe for threads."""

    def __init__(self, wanted: list[Wanted], ledger: Ledger, wipe: bool = False) -> None:
        self._wanted = {each.device: each for each in wanted}
        self._ledger = ledger
        self._wipe = wipe
        self._lock = threading.Lock()
        self._taken: dict[str, str] = {}  # device -> MAC, while and after it is flashed
        self._done: dict[str, str] = {}  # MAC -> device

    def take(self, mac: str, chip: str, flash_mb: float, was: str | None) -> Wanted:
        """The device that the board with this MAC becomes; `was` is what it is now.

        Raises AlreadyDoneError; UserError when there is none for it.
        """
        with self._lock:
            if mac in self._done:
                raise AlreadyDoneError(self._done[mac])
            if was in self._wanted:
                chosen = self._as_before(self._wanted[was], mac)
            elif was is not None and not self._wipe:
                raise UserError(
                    f"this board is {was}, which is none of those to be flashed; give it back, or "
                    "make it another device with --wipe-journal, if its events may be lost",
                    os.EX_USAGE,
                )
            else:
                chosen = self._next(mac, chip, flash_mb)
            self._taken[chosen.device] = mac
            return chosen

    def done(self, device: str) -> None:
        """Its board works."""
        with self._lock:
            self._done[self._taken[device]] = device

    def give_back(self, device: str) -> None:
        """Its board failed."""
        with self._lock:
            del self._taken[device]

    def knows(self, mac: str | None) -> bool:
        """Whether a board was flashed already."""
        return mac in self._done

    def left(self) -> list[str]:
        """Devices that no board was flashed for in this batch yet."""
        done = set(self._done.values())
        return [device for device in self._wanted if device not in done]

    def without_board(self) -> list[str]:
        """Those of left() that have no board from before either."""
        wanted = [self._wanted[device] for device in self.left()]
        return [w.device for w in wanted if self._ledger.holder(w.device, w.generation) is None]

    def _as_before(self, wanted: Wanted, mac: str) -> Wanted:
        holder = self._taken.get(wanted.device)
        if holder is not None:
            raise UserError(
                f"two boards with one id: {wanted.device} is board {holder} of this batch already, "
                f"and this board {mac} says that it is {wanted.device} too; find out which one is "
                "right, and make the other one another device: `hall flash DEVICE --wipe-journal`"
            )
        self._ledger.check(wanted.device, wanted.generation, mac)
        return wanted

    def _next(self, mac: str, chip: str, flash_mb: float) -> Wanted:
        free = [each for each in self._wanted.values() if self._is_free(each, mac)]
        fitting = [each for each in free if each.chip == chip and each.flash_mb <= flash_mb]
        before = self._ledger.device_of(mac)
        for each in fitting:
            if each.device == before:
                return each
        if fitting:
            return fitting[0]
        waiting = ", ".join(each.words() for each in free) or "none"
        raise UserError(
            f"no device left for this board with an {chip} and {flash_mb:g} MB flash; without a "
            f"board are: {waiting}"
        )

    def _is_free(self, wanted: Wanted, mac: str) -> bool:
        holder = self._ledger.holder(wanted.device, wanted.generation)
        return wanted.device not in self._taken and holder in (None, mac)
