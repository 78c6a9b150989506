"""From a C file to a .mpy file: the compiler's and the assembler's runs, names, and the link.

Here: the order of the steps, and errors of programs that are missing or fail. Not here: what the
linker does with an object (`objects`, `image`, and a module for each architecture).
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hall_tools.errors import UserError
from hall_tools.mpy import firmware_root
from hall_tools.native import xtensa
from hall_tools.native.architectures import ARCHITECTURES, XTENSA_ATTRIBUTES, Architecture
from hall_tools.native.image import Image
from hall_tools.native.mpyfile import write_mpy
from hall_tools.native.objects import read_object

#: Which Debian package a program is in.
PACKAGES = {"gcc": "gcc", "clang-22": "clang-22", "llvm-mc-22": "llvm-22"}

_NAME = re.compile(r"\bMP_QSTR_(\w+)")

# The unix port has no GPIO: there a scan's stores go to a log.
_OWN_FLAGS = {"x64": ("-DSCAN_LOG",)}


def own_source() -> Path:
    """The C file of Hallkit's own module, `scan`."""
    return firmware_root() / "native" / "module.c"


def build_own(architecture: str) -> bytes:
    """Hallkit's own module. Raises UserError like `build`."""
    return build(own_source(), architecture, "scan", _OWN_FLAGS.get(architecture, ()))


def build(source: Path, architecture: str, name: str, flags: Sequence[str] = ()) -> bytes:
    """The .mpy of one C file, which may include others; equal bytes for equal input.

    `flags` are more of the compiler's. Raises UserError like `link`.
    """
    target = ARCHITECTURES[architecture]
    names, image = link(source, architecture, flags)
    return write_mpy(image, target.number, target.word, name, names)


def link(source: Path, architecture: str, flags: Sequence[str] = ()) -> tuple[list[str], Image]:
    """The names that the code uses, in order, and its text, whose first instruction is the entry.

    UserError: a program is missing (EX_UNAVAILABLE), the file is (EX_NOINPUT), it does not compile,
    or holds what a module cannot (EX_DATAERR).
    """
    if not source.is_file():
        raise UserError(f"{source}: no such file", os.EX_NOINPUT)
    target = ARCHITECTURES[architecture]
    with tempfile.TemporaryDirectory(prefix="hall-native-") as folder:
        names, content = _compile(source, target, flags, Path(folder))
    return names, target.lay_out(read_object(content, target.machine, str(source)))


def _compile(
    source: Path, target: Architecture, flags: Sequence[str], folder: Path
) -> tuple[list[str], bytes]:
    """The names that the source uses, in their order in the module, and the object file."""
    command = [target.compiler, *target.flags, *flags]
    preprocessed = _run([*command, "-E", "-P", str(source)])
    names = sorted(set(_NAME.findall(preprocessed)))
    header, assembly, output = folder / "names.h", folder / "module.s", folder / "module.o"
    header.write_text(
        "".join(f"enum {{ MP_QSTR_{name} = {i} }};\n" for i, name in enumerate(names, 1))
    )
    command += ["-include", str(header), str(source)]
    if target.name == "xtensawin":
        _run([*command, "-S", "-o", str(assembly)])
        assembly.write_text(xtensa.prepare_assembly(assembly.read_text()))
        assembler = ["llvm-mc-22", "--triple=xtensa", f"-mattr={XTENSA_ATTRIBUTES}"]
        _run([*assembler, "-filetype=obj", str(assembly), "-o", str(output)])
    else:
        _run([*command, "-c", "-o", str(output)])
    return names, output.read_bytes()


def _run(command: list[str]) -> str:
    try:
        # A source may be in another encoding, and so is what the compiler quotes of it.
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except FileNotFoundError as error:
        package = PACKAGES[command[0]]
        raise UserError(
            f"{command[0]} is missing: install Debian's package {package} "
            f"(apt-get install {package})",
            os.EX_UNAVAILABLE,
        ) from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line]
        raise UserError(f"{command[0]}: {'; '.join(lines) or done.stderr.strip()}")
    return done.stdout
