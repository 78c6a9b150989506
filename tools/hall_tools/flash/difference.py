"""Which sectors of a board's flash differ from what they should hold, found by MD5 alone.

Here: pure logic; the flash is a function that hashes a piece of it. A region is compared as a
whole, then in blocks of 64 KB, then in the sectors of the blocks that differ: an unchanged region
costs one question, and a changed one at most two readings of it. Not here: writing.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hall_tools.image.layout import SECTOR

BLOCK = 64 * 1024
"""Bytes that a flash chip erases in one go, and that fewer questions are asked about."""

Md5 = Callable[[int, int], str]
"""Address and size of a piece of flash, in bytes -> its MD5 in hex, lower case."""


class Run(NamedTuple):
    """Neighbouring sectors that have to be written: the address of the first, and their content."""

    address: int
    content: bytes


def differing(md5: Md5, address: int, content: bytes) -> list[Run]:
    """The sectors to write so that the flash holds `content` at `address`, neighbours in one run.

    `address` and the length are whole sectors.
    """
    if md5(address, len(content)) == _md5(content):
        return []
    runs: list[Run] = []
    for start in _differing_sectors(md5, address, content):
        sector = content[start - address : start - address + SECTOR]
        if runs and runs[-1].address + len(runs[-1].content) == start:
            runs[-1] = Run(runs[-1].address, runs[-1].content + sector)
        else:
            runs.append(Run(start, sector))
    return runs


def _differing_sectors(md5: Md5, address: int, content: bytes) -> Iterator[int]:
    """Addresses of sectors, ascending. Blocks begin at multiples of their size on the chip."""
    end = address + len(content)
    start = address
    while start < end:
        stop = min(start - start % BLOCK + BLOCK, end)
        wanted = content[start - address : stop - address]
        found = md5(start, len(wanted))
        if found == _md5(b"\xff" * len(wanted)):
            # Erased, as on a new board: nothing more need be asked.
            yield from (start + at for at in range(0, len(wanted), SECTOR) if _used(wanted, at))
        elif found != _md5(wanted):
            for at in range(0, len(wanted), SECTOR):
                if md5(start + at, SECTOR) != _md5(wanted[at : at + SECTOR]):
                    yield start + at
        start = stop


def _used(content: bytes, at: int) -> bool:
    return content[at : at + SECTOR] != b"\xff" * SECTOR


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
