"""Which sectors are written: those that differ, found by few questions."""

import hashlib
import itertools
import random

from hall_tools.flash.difference import BLOCK, differing
from hall_tools.image.layout import SECTOR

_START = 0x1000  # not on a block's edge


class Flash:
    """Flash that hashes, and counts what it read for it."""

    def __init__(self, content: bytes) -> None:
        self.content = bytearray(content)
        self.asked = 0
        self.read = 0

    def md5(self, address: int, size: int) -> str:
        self.asked += 1
        self.read += size
        return hashlib.md5(self.content[address : address + size]).hexdigest()

    def write(self, address: int, content: bytes) -> None:
        self.content[address : address + len(content)] = content


def test_an_unchanged_region_costs_one_question() -> None:
    content = random.Random(1).randbytes(3 * BLOCK)
    flash = Flash(bytes(_START) + content)
    assert differing(flash.md5, _START, content) == []
    assert flash.asked == 1


def test_one_changed_byte_is_one_sector() -> None:
    content = random.Random(2).randbytes(8 * BLOCK)
    flash = Flash(bytes(_START) + content)
    flash.content[_START + 5 * BLOCK + 7] ^= 1
    runs = differing(flash.md5, _START, content)
    sector = (_START + 5 * BLOCK + 7) // SECTOR * SECTOR
    assert [(run.address, len(run.content)) for run in runs] == [(sector, SECTOR)]
    assert flash.read < 2.2 * len(content)


def test_what_is_written_makes_the_flash_right_and_nothing_else_is() -> None:
    chance = random.Random(3)
    for _ in range(200):
        sectors = chance.randrange(1, 40)
        start = chance.randrange(4) * SECTOR
        kinds = (b"\xff" * SECTOR, chance.randbytes(SECTOR))
        wanted = b"".join(chance.choice(kinds) for _ in range(sectors))
        old = b"".join(chance.choice(kinds) for _ in range(sectors + 8))
        flash = Flash(old)
        runs = differing(flash.md5, start, wanted)
        changed = {
            at
            for at in range(0, len(wanted), SECTOR)
            if old[start + at : start + at + SECTOR] != wanted[at : at + SECTOR]
        }
        written = [
            run.address - start + at for run in runs for at in range(0, len(run.content), SECTOR)
        ]
        assert sorted(changed) == written
        for run, follower in itertools.pairwise(runs):
            assert run.address + len(run.content) < follower.address
        for run in runs:
            flash.write(*run)
        assert flash.content[start : start + len(wanted)] == wanted


def test_an_erased_block_is_not_asked_about_by_sectors() -> None:
    content = random.Random(4).randbytes(BLOCK - SECTOR) + b"\xff" * SECTOR
    flash = Flash(b"\xff" * BLOCK)
    assert differing(flash.md5, 0, content) == [(0, content[:-SECTOR])]
    assert flash.asked == 2
