"""The three kinds of machine code: their numbers in a .mpy file, their compilers, their flags.

Here: facts that one architecture differs in by a value. Not here: what differs by code, which are
the relocations (`x64`, `xtensa`, `riscv`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from hall_tools.native import riscv, x64, xtensa
from hall_tools.native.image import Image
from hall_tools.native.objects import ObjectFile

# No library, no data that the compiler would like to add: what they call for cannot be linked.
_COMMON = (
    "-std=c99",
    "-Oz",
    "-ffreestanding",
    "-fno-builtin",
    "-fno-common",
    "-fno-jump-tables",
    "-Wall",
    "-Wextra",
    "-Werror",
)


@dataclass(frozen=True)
class Architecture:
    """`number` is MicroPython's (py/persistentcode.h), `machine` ELF's name in pyelftools."""

    name: str
    number: int
    machine: str
    word: int
    compiler: str
    flags: tuple[str, ...]
    lay_out: Callable[[ObjectFile], Image]


_XTENSA_FEATURES = ("windowed", "mul32", "loop", "nsa", "sext", "density", "exception")

ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        Architecture(
            name="x64",
            number=2,
            machine="EM_X86_64",
            word=8,
            compiler="gcc",
            flags=(
                *_COMMON,
                "-fPIC",
                "-fno-stack-protector",
                "-fno-asynchronous-unwind-tables",
                "-fcf-protection=none",
            ),
            lay_out=x64.lay_out,
        ),
        Architecture(
            name="xtensawin",
            number=10,
            machine="EM_XTENSA",
            word=4,
            compiler="clang-22",
            flags=(
                *_COMMON,
                "--target=xtensa",
                *(
                    flag
                    for feature in _XTENSA_FEATURES
                    for flag in ("-Xclang", "-target-feature", "-Xclang", f"+{feature}")
                ),
            ),
            lay_out=xtensa.lay_out,
        ),
        Architecture(
            name="rv32imc",
            number=11,
            machine="EM_RISCV",
            word=4,
            compiler="clang-22",
            flags=(
                *_COMMON,
                "--target=riscv32-unknown-elf",
                "-march=rv32imc",
                "-mabi=ilp32",
                "-mno-relax",
                "-fPIC",
            ),
            lay_out=riscv.lay_out,
        ),
    )
}

#: For the assembler of Xtensa, which clang does not call itself.
XTENSA_ATTRIBUTES = ",".join(f"+{feature}" for feature in _XTENSA_FEATURES)
