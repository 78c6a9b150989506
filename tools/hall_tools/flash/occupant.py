"""Whose board this was before: the device in its `ident` partition, and what its journal holds.

Here: reading that off a board, by the partition table that it has. Not here: what follows from it
(flasher.py), and keys, which are read over and forgotten.
"""

import struct
from typing import NamedTuple, Protocol

from hall_tools.image.ident import device_in
from hall_tools.image.layout import SECTOR, TABLE_ADDRESS, TABLE_BYTES

_ENTRY = struct.Struct("<2sBBII16sI")
_ENTRY_MAGIC = b"\xaa\x50"
# Of docs/journal.md: the header of a sector in use, and the size of a slot.
_JOURNAL_MAGIC = b"HALJ"
_SLOT = 64


class Place(NamedTuple):
    """A piece of flash, in bytes."""

    offset: int
    size: int


class Readable(Protocol):
    """A board's flash, as far as it is needed here."""

    def read(self, address: int, size: int) -> bytes: ...


class Occupant(NamedTuple):
    """`device`: the id that the board has, None when it has none that can be read.
    `journal`: where its events are, None when it has no such partition."""

    device: str | None
    journal: Place | None


def occupant(board: Readable) -> Occupant:
    """Whose board this is. An empty board, or one with another program, is nobody's."""
    places = partitions(board.read(TABLE_ADDRESS, TABLE_BYTES))
    ident = places.get("ident")
    device = device_in(board.read(ident.offset, 2 * SECTOR)) if ident else None
    return Occupant(device, places.get("jrnl"))


def partitions(table: bytes) -> dict[str, Place]:
    """The entries of a partition table by label; none when it is no table."""
    found: dict[str, Place] = {}
    for at in range(0, len(table) - _ENTRY.size + 1, _ENTRY.size):
        magic, _, _, offset, size, label, _ = _ENTRY.unpack_from(table, at)
        if magic != _ENTRY_MAGIC:
            break
        found[label.rstrip(b"\0").decode("ascii", "replace")] = Place(offset, size)
    return found


def holds_events(board: Readable, journal: Place) -> bool:
    """Whether the journal has records, acknowledged or not: more than a format leaves there."""
    content = board.read(journal.offset, journal.size)
    for start in range(0, len(content), SECTOR):
        sector = content[start : start + SECTOR]
        if sector.startswith(_JOURNAL_MAGIC) and sector[_SLOT:].strip(b"\xff"):
            return True
    return False
