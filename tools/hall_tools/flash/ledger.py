"""Which board has which device: `boards.json` beside hall.toml, so that no two have one identity.

Here: the file, and who may take which id. Not here: keys (hall_gateway.keys); a device that is
enrolled again is of a newer generation, and its board of before counts no more.
"""

import json
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

from hall_gateway.files import FileError, write_secret

from hall_tools.errors import UserError

_VERSION = 1


class Entry(NamedTuple):
    """A board by its MAC, and the generation of the keys that it was given."""

    mac: str
    generation: int


class Ledger:
    """The boards of a hall, in `file`. Raises UserError when it cannot be read or written."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._boards = self._read()

    def holder(self, device: str, generation: int) -> str | None:
        """The MAC of the board that has the device's keys of that generation."""
        entry = self._boards.get(device)
        return entry.mac if entry and entry.generation >= generation else None

    def device_of(self, mac: str) -> str | None:
        """The device that was flashed onto a board last."""
        return next((device for device, entry in self._boards.items() if entry.mac == mac), None)

    def check(self, device: str, generation: int, mac: str) -> None:
        """Raises UserError when another board has this identity already."""
        holder = self.holder(device, generation)
        if holder not in (None, mac):
            raise UserError(
                f"{device} is on board {holder} already, and this is board {mac}: two boards with "
                f"one identity disturb each other; if the other one is gone for good, run "
                f"`hall enroll {device}` for new keys, then flash this one"
            )

    def note(self, device: str, generation: int, mac: str) -> None:
        """The board is this device from now on, and no other. Raises UserError as check()."""
        with self._changing():
            self.check(device, generation, mac)
            rest = {other: entry for other, entry in self._boards.items() if entry.mac != mac}
            self._boards = rest | {device: Entry(mac, generation)}

    @contextmanager
    def _changing(self) -> Generator[None]:
        """What another process noted meanwhile counts too; what is noted here is written."""
        with self._lock:
            self._boards = self._read()
            yield
            boards = {device: entry._asdict() for device, entry in sorted(self._boards.items())}
            content = json.dumps({"v": _VERSION, "boards": boards}, indent=1)
            try:
                write_secret(self._file, f"{content}\n".encode())
            except FileError as error:
                raise UserError(str(error), os.EX_CANTCREAT) from None

    def _read(self) -> dict[str, Entry]:
        try:
            content = cast("dict[str, dict[str, dict[str, str | int]]]", _load(self._file))
            boards = content["boards"].items()
            return {device: Entry(str(e["mac"]), int(e["generation"])) for device, e in boards}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise UserError(f"{self._file}: {error.strerror}", os.EX_NOPERM) from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise UserError(
                f"{self._file}: damaged; move it away, and take care that no id comes onto two "
                "boards"
            ) from None


def _load(file: Path) -> object:
    return json.loads(file.read_text(encoding="utf-8"))
