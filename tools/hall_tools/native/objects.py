"""An ELF object file as a linker sees it: the code, the symbols, the relocations.

Here: reading by pyelftools, and refusing every section that a .mpy file could not carry. Not here:
what a relocation means; each architecture has its own module.
"""

import io
import struct
import zlib
from dataclasses import dataclass

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import Section, SymbolTableSection

from hall_tools.errors import UserError

#: MicroPython's table of functions, the only symbol that may be undefined.
FUN_TABLE = "mp_fun_table"
ENTRY = "mpy_init"

# What pyelftools says of bytes that are none: its own errors, and what it has not thought of.
_DAMAGED = (
    *(ELFError, struct.error, zlib.error, MemoryError, RecursionError),
    *(ArithmeticError, LookupError, TypeError, ValueError, AttributeError, AssertionError),
)

_ALLOCATED = 0x2  # SHF_ALLOC
_ALIGNMENT_MAX = 64
_WORD = 3  # bytes that the shortest patched instruction has
# Allocated by name, but nothing that runs: notes of the tool chain, and unwind tables.
_DROPPED = (".note", ".eh_frame", ".riscv.attributes", ".xtensa.info", ".xt.")

_REASONS = {
    ".rodata": "constant data: a string, a table, or an initial value kept apart",
    ".data": "a variable with an initial value",
    ".bss": "a static variable",
}
_COMMON_CALLS = {
    "memcpy": "the compiler copies a struct: pass a pointer",
    "memset": "the compiler clears a struct or an array: assign its fields",
    "memmove": "the compiler copies a struct: pass a pointer",
    "__divsi3": "this machine code has no division",
    "__udivsi3": "this machine code has no division",
    "__modsi3": "this machine code has no division",
    "__umodsi3": "this machine code has no division",
    "__muldi3": "this machine code has no 64-bit multiplication",
}


@dataclass(frozen=True)
class Target:
    """What a relocation points at: an offset in a section of the object, or the function table."""

    section: int | None  # None: the function table
    offset: int


@dataclass(frozen=True)
class Relocation:
    offset: int
    kind: int
    target: Target
    addend: int


@dataclass(frozen=True)
class CodeSection:
    name: str
    content: bytes
    alignment: int
    relocations: tuple[Relocation, ...]


@dataclass(frozen=True)
class ObjectFile:
    """`sections` by their number in the ELF file, in its order; `entry` is where mpy_init is."""

    sections: dict[int, CodeSection]
    entry: Target


def read_object(content: bytes, machine: str, source: str) -> ObjectFile:
    """UserError, which names `source`: it is no such object, or holds what cannot be linked."""
    try:
        return _read(content, machine, source)
    except UserError:
        raise
    except _DAMAGED as error:
        why = str(error) or type(error).__name__
        raise UserError(f"{source}: not an object file, or a damaged one: {why}") from None


def _read(content: bytes, machine: str, source: str) -> ObjectFile:
    elf = ELFFile(io.BytesIO(content))
    if elf["e_machine"] != machine or elf["e_type"] != "ET_REL":
        raise UserError(f"{source}: not an object file of {machine}")
    numbers = [n for n, section in enumerate(elf.iter_sections()) if _is_code(section, source)]
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        raise UserError(f"{source}: has no symbols")
    targets = {n: _target(table, n, numbers, source) for n in range(table.num_symbols())}
    sections = {n: _section(elf, n, targets, source) for n in numbers}
    return ObjectFile(sections, _entry(table, numbers, source))


def _is_code(section: Section, source: str) -> bool:
    name: str = section.name
    if not section["sh_flags"] & _ALLOCATED or section["sh_size"] == 0 or name.startswith(_DROPPED):
        return False
    if name.startswith((".text", ".literal")):
        return True
    reason = next((why for start, why in _REASONS.items() if name.startswith(start)), "no code")
    raise UserError(
        f"{source}: {section['sh_size']} bytes in {name} ({reason}): "
        "a module without static data is all that is supported"
    )


def _target(
    table: SymbolTableSection, number: int, sections: list[int], source: str
) -> Target | UserError:
    """An error is kept for the relocation that uses the symbol: an unused one does no harm."""
    symbol = table.get_symbol(number)
    section = symbol["st_shndx"]
    if section in sections:
        return Target(section, symbol["st_value"])
    if symbol.name == FUN_TABLE:
        return Target(None, 0)
    hint = _COMMON_CALLS.get(symbol.name, "only the function table of MicroPython can be called")
    return UserError(f"{source}: undefined symbol {symbol.name or number}: {hint}")


def _section(
    elf: ELFFile, number: int, targets: dict[int, Target | UserError], source: str
) -> CodeSection:
    section = elf.get_section(number)
    if section["sh_addralign"] > _ALIGNMENT_MAX:
        raise UserError(f"{source}: {section.name} is to be aligned to {section['sh_addralign']}")
    relocations: list[Relocation] = []
    for table in elf.iter_sections():
        if not isinstance(table, RelocationSection) or table["sh_info"] != number:
            continue
        if not table.is_RELA():
            raise UserError(f"{source}: {table.name}: relocations without addends")
        for entry in table.iter_relocations():
            target = targets[entry["r_info_sym"]]
            if isinstance(target, UserError):
                # R_*_NONE and marks for a relaxing linker name no symbol.
                raise target
            if entry["r_offset"] + _WORD > len(section.data()):
                raise UserError(f"{source}: {table.name}: a relocation outside {section.name}")
            relocations.append(
                Relocation(entry["r_offset"], entry["r_info_type"], target, entry["r_addend"])
            )
    return CodeSection(
        section.name, section.data(), max(section["sh_addralign"], 1), tuple(relocations)
    )


def _entry(table: SymbolTableSection, sections: list[int], source: str) -> Target:
    for symbol in table.get_symbol_by_name(ENTRY) or []:
        if symbol["st_shndx"] in sections:
            return Target(symbol["st_shndx"], symbol["st_value"])
    raise UserError(f"{source}: has no function {ENTRY}: the module's import calls it")
