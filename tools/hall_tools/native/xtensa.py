"""Linking Xtensa: literals in front of the code, which loads them relative to the program counter.

Names and numbers: binutils' include/elf/xtensa.h; instructions: Xtensa ISA reference manual, L32R
and J. Also here: what has to be done to clang's assembly before it is assembled.
"""

import re

from hall_tools.errors import UserError
from hall_tools.native.image import Base, Image, unknown
from hall_tools.native.objects import CodeSection, ObjectFile, Relocation

_WORD = 1  # R_XTENSA_32
_SLOT0_OP = 20
_J = 0x06
_L32R = 0x01


def lay_out(code: ObjectFile) -> Image:
    image = Image(word=4, entry_bytes=4)
    literals = {n: s for n, s in code.sections.items() if s.name.startswith(".literal")}
    texts = {n: s for n, s in code.sections.items() if n not in literals}
    # A literal may be an address in the code behind it: its room is measured before it is written.
    kept = _Literals(image, literals)
    behind = start = len(image.text) + kept.count_bytes()
    for number, section in texts.items():
        start += -start % max(section.alignment, 4)
        kept.starts[number] = start
        start += len(section.content)
    kept.write()
    image.text += bytes(behind - len(image.text))
    for number, section in texts.items():
        image.align(max(section.alignment, 4))
        image.place(number, section)
        assert image.start(number) == kept.starts[number]
    entry = image.address(code.entry)
    image.text[0:3] = (_J | (entry - 4 & 0x3FFFF) << 6).to_bytes(3, "little")
    for number, section in texts.items():
        for relocation in section.relocations:
            _patch(image, image.start(number), section, relocation, kept)
    return image


class _Literals:
    """The words of all literal sections, equal ones once."""

    def __init__(self, image: Image, sections: dict[int, CodeSection]) -> None:
        self.starts: dict[int, int] = {}
        self._image = image
        # (section, offset) -> what stands there: (section or None or "value", number)
        self._meaning: dict[tuple[int, int], tuple[int | str | None, int]] = {}
        for number, section in sections.items():
            self._read(number, section)
        self._offsets: dict[tuple[int | str | None, int], int] = {}

    def _read(self, number: int, section: CodeSection) -> None:
        pointers = {relocation.offset: relocation for relocation in section.relocations}
        for offset in range(0, len(section.content), 4):
            value = int.from_bytes(section.content[offset : offset + 4], "little")
            relocation = pointers.get(offset)
            if relocation is None:
                self._meaning[number, offset] = ("value", value)
            elif relocation.kind == _WORD:
                target = relocation.target
                place = target.offset + relocation.addend + value
                self._meaning[number, offset] = (target.section, place)
            else:
                raise unknown(relocation.kind, section, offset)

    def count_bytes(self) -> int:
        return 4 * len(set(self._meaning.values()))

    def write(self) -> None:
        for meaning in self._meaning.values():
            place, number = meaning
            if place is None:
                self._offsets[meaning] = self._image.constant(Base.FUN_TABLE, number)
            elif isinstance(place, str):
                self._offsets[meaning] = self._image.constant(None, number)
            else:
                if place not in self.starts:
                    raise UserError("a literal points at a literal: not supported")
                text = self.starts[place] + number
                self._offsets[meaning] = self._image.constant(Base.TEXT, text)

    def offset(self, section: int, offset: int) -> int:
        return self._offsets[self._meaning[section, offset]]

    def holds(self, section: int | None, offset: int) -> bool:
        return (section, offset) in self._meaning


def _patch(
    image: Image, start: int, section: CodeSection, relocation: Relocation, literals: _Literals
) -> None:
    at = start + relocation.offset
    target = relocation.target
    literal = target.offset + relocation.addend
    is_load = image.text[at] & 0x0F == _L32R
    if relocation.kind != _SLOT0_OP or not is_load or target.section is None:
        raise unknown(relocation.kind, section, relocation.offset)
    if not literals.holds(target.section, literal):
        raise UserError(f"{section.name}+0x{relocation.offset:x}: loads what is no literal")
    distance = literals.offset(target.section, literal) - ((at + 3) & ~3)
    if not -0x40000 <= distance < 0:
        raise UserError(f"{section.name}+0x{relocation.offset:x}: its literal is too far away")
    image.text[at + 1 : at + 3] = (distance >> 2 & 0xFFFF).to_bytes(2, "little")


# Narrow forms: Xtensa ISA reference manual, "Code Density Option". clang knows them but writes the
# wide ones, and the assembler takes what is written; narrow is a quarter smaller.
_NARROW = tuple(
    (re.compile(wide), narrow)
    for wide, narrow in (
        (r"or\s+(a\d+), (a\d+), \2", r"mov.n\t\1, \2"),
        (r"add\s+(a\d+), (a\d+), (a\d+)", r"add.n\t\1, \2, \3"),
        (r"addi\s+(a\d+), (a\d+), (-1|[1-9]|1[0-5])", r"addi.n\t\1, \2, \3"),
        (r"([ls]32i)\s+(a\d+), (a\d+), ([048]|[135][26]|[24][048]|60)", r"\1.n\t\2, \3, \4"),
        (r"movi\s+(a\d+), (-(?:[1-9]|[12]\d|3[0-2])|\d|[1-8]\d|9[0-5])", r"movi.n\t\1, \2"),
    )
)


def prepare_assembly(assembly: str) -> str:
    """Narrows instructions, and aligns literals: the assembler records an alignment of 1."""
    return "\n".join(_prepared(line) for line in assembly.split("\n"))


def _prepared(line: str) -> str:
    text, _, comment = line.partition("#")
    instruction = text.strip()
    if instruction == ".literal_position":
        return f"\t.p2align\t2\n{line}"
    if line.startswith("\t") and not comment.startswith(("APP", "NO_APP")):
        for wide, narrow in _NARROW:
            match = wide.fullmatch(instruction)
            if match:
                return f"\t{match.expand(narrow)}"
    return line
