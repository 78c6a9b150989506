"""The events in a device's journal, read from its flash chip by whoever holds the chip.

Here: docs/journal.md, read a second time, so that what the firmware believes of its own journal is
no part of the truth. Not here: which of them arrived (truth.py).
"""

import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hall_tools.image.layout import SECTOR, partition

_SLOT = 64
_MAGIC = b"HALJ"
_EVENT = 0x45
_TEXT_AT, _TEXT_MAX, _CRC_AT = 19, 41, 60


@dataclass(frozen=True)
class Record:
    """An event that was appended whole."""

    epoch: int
    seq: int
    boot: int
    text: str

    @property
    def kind(self) -> str:
        return self.text.partition("{")[0]

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.text[len(self.kind) :])


def read(chip: Path) -> list[Record]:
    """Every event that can be read in the journal, acknowledged or not, in no order.

    The device may be running: a record that is just being written does not check yet.
    """
    entry = partition("jrnl")
    with chip.open("rb") as file:
        file.seek(entry.offset)
        ring = file.read(entry.size)
    sectors = [ring[at : at + SECTOR] for at in range(0, len(ring), SECTOR)]
    epochs = {epoch for sector in sectors if (epoch := _epoch(sector)) is not None}
    return [
        record
        for sector in sectors
        for at in range(_SLOT, SECTOR, _SLOT)
        for epoch in epochs
        if (record := _record(sector[at : at + _SLOT], epoch)) is not None
    ]


def _epoch(sector: bytes) -> int | None:
    header = sector[:_SLOT]
    if header[:4] != _MAGIC or not _checks(header, 0):
        return None
    return struct.unpack_from("<I", header, 8)[0]


def _record(slot: bytes, epoch: int) -> Record | None:
    what, length, boot, seq = struct.unpack_from("<BBHI", slot)
    if what != _EVENT or length > _TEXT_MAX or not _checks(slot, epoch):
        return None
    return Record(epoch, seq, boot, slot[_TEXT_AT : _TEXT_AT + length].decode())


def _checks(slot: bytes, begin: int) -> bool:
    return struct.unpack_from("<I", slot, _CRC_AT)[0] == zlib.crc32(slot[:_CRC_AT], begin)
