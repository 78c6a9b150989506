"""The text of a module as it is put together: bytes, and the words that the loader has to adjust.

Here: sections placed one after the other, words with a base. Not here: instructions, which each
architecture patches itself, and the file (`mpyfile`).
"""

import struct
from enum import Enum

from hall_tools.errors import UserError
from hall_tools.native.objects import CodeSection, Target


class Base(Enum):
    """What the loader adds to a word of the text: codes of the relocations in a .mpy file."""

    TEXT = 0
    FUN_TABLE = 8


class Image:
    """`words` maps the offset of a word in `text` to the base that the loader adds to it."""

    def __init__(self, word: int, entry_bytes: int) -> None:
        self.text = bytearray(entry_bytes)
        self.words: dict[int, Base] = {}
        self._word = word
        self._places: dict[int, int] = {}
        self._kept: dict[tuple[Base | None, int], int] = {}

    def place(self, number: int, section: CodeSection) -> None:
        self.align(section.alignment)
        self._places[number] = len(self.text)
        self.text += section.content

    def align(self, alignment: int) -> None:
        self.text += bytes(-len(self.text) % alignment)

    def start(self, number: int) -> int:
        """Where that section of the object was placed."""
        return self._places[number]

    def address(self, target: Target) -> int:
        """The offset in the text of what a relocation points at. UserError: it is elsewhere."""
        if target.section is None:
            raise UserError("mp_fun_table is used as a place in the text, not through a pointer")
        return self._places[target.section] + target.offset

    def constant(self, base: Base | None, value: int) -> int:
        """The offset of a word that holds `value` above `base`; equal ones share a word."""
        if (base, value) not in self._kept:
            self.align(self._word)
            offset = len(self.text)
            self.text += (value % 256**self._word).to_bytes(self._word, "little")
            if base is not None:
                self.words[offset] = base
            self._kept[base, value] = offset
        return self._kept[base, value]

    def pointer(self, target: Target, addend: int) -> int:
        """The offset of a word that points at `target`, all sections of the text being placed."""
        if target.section is None:
            return self.constant(Base.FUN_TABLE, addend)
        return self.constant(Base.TEXT, self.address(target) + addend)

    def u32(self, offset: int) -> int:
        self._check(offset)
        return struct.unpack_from("<I", self.text, offset)[0]

    def put_u32(self, offset: int, value: int) -> None:
        self._check(offset)
        struct.pack_into("<I", self.text, offset, value & 0xFFFFFFFF)

    def put_i32(self, offset: int, value: int) -> None:
        self._check(offset)
        if not -(1 << 31) <= value < 1 << 31:
            raise UserError(f"0x{offset:x}: what it points at is too far away")
        struct.pack_into("<i", self.text, offset, value)

    def _check(self, offset: int) -> None:
        if not 0 <= offset <= len(self.text) - 4:
            raise UserError(f"0x{offset:x}: a relocation outside of the text")


def unknown(kind: int, section: CodeSection, offset: int) -> UserError:
    return UserError(
        f"{section.name}+0x{offset:x}: relocation of type {kind} is not supported: "
        "see docs/native-linker.md for the compiler's flags"
    )
