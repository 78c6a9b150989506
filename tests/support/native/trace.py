"""qemu's log of executed instructions, with the registers before each.

Here: reading `-d exec,cpu` logs, and the store instructions of both machines. References: Xtensa
ISA reference manual (S32I, S32I.N); the RISC-V unprivileged ISA (SW, C.SW, C.SWSP).
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

#: The value of a register before the instruction.
Registers = Callable[[int], int]
#: (base register, offset, register that is stored) of an instruction that stores a word.
Store = tuple[int, int, int]

_XTENSA_REGISTER = re.compile(r" A(\d\d)=([0-9a-f]{8})")
_RISCV_REGISTER = re.compile(r" x(\d+)/\w+\s+([0-9a-f]{8})")


def xtensa_steps(log: Path) -> Iterator[tuple[int, Registers]]:
    return _steps(log, "PC=", " A", _XTENSA_REGISTER)


def riscv_steps(log: Path) -> Iterator[tuple[int, Registers]]:
    return _steps(log, " pc ", " x", _RISCV_REGISTER)


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


def xtensa_store(text: bytes, at: int) -> Store | None:
    low, middle = text[at], text[at + 1]
    if low & 0x0F == 0x9:  # s32i.n at, as, imm4 * 4
        return middle & 0x0F, (middle >> 4) * 4, low >> 4
    if low & 0x0F == 0x2 and middle >> 4 == 6:  # s32i at, as, imm8 * 4
        return middle & 0x0F, text[at + 2] * 4, low >> 4
    return None


def riscv_store(text: bytes, at: int) -> Store | None:
    half = int.from_bytes(text[at : at + 2], "little")
    if half & 3 == 3:
        word = int.from_bytes(text[at : at + 4], "little")
        if word & 0x707F != 0x2023:
            return None
        offset = (word >> 25 << 5 | word >> 7 & 0x1F) ^ 0x800
        return word >> 15 & 0x1F, offset - 0x800, word >> 20 & 0x1F
    if half & 0xE003 == 0xC000:
        offset = (half >> 10 & 7) << 3 | (half >> 6 & 1) << 2 | (half >> 5 & 1) << 6
        return 8 + (half >> 7 & 7), offset, 8 + (half >> 2 & 7)
    if half & 0xE003 == 0xC002:
        return 2, (half >> 9 & 0xF) << 2 | (half >> 7 & 3) << 6, half >> 2 & 0x1F
    return None
