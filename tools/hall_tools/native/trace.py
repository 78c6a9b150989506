"""qemu's log of executed instructions, with the registers before each.

Here: reading `-d exec,cpu` logs, and the instructions of both machines that load and store words.
References: Xtensa ISA reference manual (L32I, S32I and their narrow forms); the RISC-V unprivileged
ISA (LW, SW, C.LW, C.SW, C.SWSP). Not here: running qemu (`emulator`).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

LOAD, STORE = "load", "store"


class Access(NamedTuple):
    """A word loaded or stored. `instruction`: how many were executed before. `value`: what was
    stored; 0 for a load."""

    instruction: int
    kind: str
    address: int
    value: int


@dataclass
class Trace:
    """What a module's machine code did: instructions, and its accesses to the GPIO registers."""

    instructions: int = 0
    accesses: list[Access] = field(default_factory=list[Access])

    @property
    def stores(self) -> list[tuple[int, int]]:
        """(address, value) of each store, in order."""
        return [(a.address, a.value) for a in self.accesses if a.kind == STORE]


class Operation(NamedTuple):
    """An instruction that loads or stores a word: base register, offset, and the other register."""

    kind: str
    base: int
    offset: int
    register: int


#: The value of a register before the instruction.
Registers = Callable[[int], int]

_XTENSA_REGISTER = re.compile(r" A(\d\d)=([0-9a-f]{8})")
_RISCV_REGISTER = re.compile(r" x(\d+)/\w+\s+([0-9a-f]{8})")


def read(architecture: str, log: Path, text: bytes, start: int, registers: range) -> Trace:
    """`text` lies at `start`; accesses to addresses in `registers` are kept."""
    steps, operation = {
        "xtensawin": (_steps(log, "PC=", " A", _XTENSA_REGISTER), xtensa_operation),
        "rv32imc": (_steps(log, " pc ", " x", _RISCV_REGISTER), riscv_operation),
    }[architecture]
    decoded: dict[int, Operation | None] = {}
    trace = Trace()
    for at, value_of in steps:
        if at not in decoded:
            decoded[at] = operation(text, at - start)
        found = decoded[at]
        if found is not None:
            address = value_of(found.base) + found.offset
            if address in registers:
                value = value_of(found.register) if found.kind == STORE else 0
                trace.accesses.append(Access(trace.instructions, found.kind, address, value))
        trace.instructions += 1
    return trace


def _steps(
    log: Path, counter: str, mark: str, register: re.Pattern[str]
) -> Iterator[tuple[int, Registers]]:
    at: int | None = None
    lines: list[str] = []
    with log.open() as file:
        for line in file:
            if line.startswith(counter):
                if at is not None:
                    yield at, _lookup(lines, register)
                at, lines = int(line[len(counter) :].strip(), 16), []
            elif line.startswith(mark):
                lines.append(line)
    if at is not None:
        yield at, _lookup(lines, register)


def _lookup(lines: list[str], register: re.Pattern[str]) -> Registers:
    def value(number: int) -> int:
        for line in lines:
            for match in register.finditer(line):
                if int(match[1]) == number:
                    return int(match[2], 16)
        raise KeyError(number)

    return value


def xtensa_operation(text: bytes, at: int) -> Operation | None:
    low, middle = text[at], text[at + 1]
    if low & 0x0F in (0x8, 0x9):  # l32i.n, s32i.n at, as, imm4 * 4
        kind = STORE if low & 0x0F == 0x9 else LOAD
        return Operation(kind, middle & 0x0F, (middle >> 4) * 4, low >> 4)
    if low & 0x0F == 0x2 and middle >> 4 in (2, 6):  # l32i, s32i at, as, imm8 * 4
        kind = STORE if middle >> 4 == 6 else LOAD
        return Operation(kind, middle & 0x0F, text[at + 2] * 4, low >> 4)
    return None


def riscv_operation(text: bytes, at: int) -> Operation | None:
    half = int.from_bytes(text[at : at + 2], "little")
    if half & 3 == 3:
        word = int.from_bytes(text[at : at + 4], "little")
        base = word >> 15 & 0x1F
        if word & 0x707F == 0x2003:  # lw
            return Operation(LOAD, base, _signed(word >> 20), word >> 7 & 0x1F)
        if word & 0x707F == 0x2023:  # sw
            offset = word >> 25 << 5 | word >> 7 & 0x1F
            return Operation(STORE, base, _signed(offset), word >> 20 & 0x1F)
        return None
    if half & 0xE003 in (0x4000, 0xC000):  # c.lw, c.sw
        offset = (half >> 10 & 7) << 3 | (half >> 6 & 1) << 2 | (half >> 5 & 1) << 6
        kind = STORE if half & 0x8000 else LOAD
        return Operation(kind, 8 + (half >> 7 & 7), offset, 8 + (half >> 2 & 7))
    if half & 0xE003 == 0xC002:  # c.swsp
        offset = (half >> 9 & 0xF) << 2 | (half >> 7 & 3) << 6
        return Operation(STORE, 2, offset, half >> 2 & 0x1F)
    return None


def _signed(offset: int) -> int:
    """Of 12 bits."""
    return (offset ^ 0x800) - 0x800
