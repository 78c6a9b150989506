"""Checks the C sources: their layout (.clang-format) and what clang-tidy finds (.clang-tidy).

Here: which compiler flags each source is checked with, one run for each way it is compiled. Not
here: the flags of native modules, which are those that they are built with
(hall_tools.native.architectures).
"""

import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hall_tools.native.architectures import ARCHITECTURES

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("firmware", "gateway", "tools", "tests")
NATIVE = ROOT / "firmware" / "native"
PANEL = ROOT / "gateway" / "hall_panel"
BENCH = ROOT / "tools" / "hall_tools" / "bench"

# Parts of other sources, which they are checked with.
_INCLUDED = {NATIVE / "scan.c"}
# Machines that qemu emulates.
_EMULATED = ("xtensawin", "rv32imc")


def main() -> int:
    """Prints what is wrong; returns 1 if anything is, else 0."""
    programs = Path(sys.executable).parent
    sources = sorted(
        source for room in ROOMS for ending in "ch" for source in (ROOT / room).rglob(f"*.{ending}")
    )
    commands = [[str(programs / "clang-format"), "--dry-run", "--Werror", *map(str, sources)]]
    with tempfile.TemporaryDirectory(prefix="hall-lint-") as folder:
        for number, source in enumerate(sources):
            if source.suffix == ".h" or source in _INCLUDED:
                continue
            names = Path(folder) / f"names_{number}.h"
            names.write_text(_names(source))
            for flags in _flags(source):
                flags += ["-Wall", "-Wextra", "-include", str(names)]
                commands.append(
                    [str(programs / "clang-tidy"), "--quiet", str(source), "--", *flags]
                )
        with ThreadPoolExecutor() as pool:
            return int(any(list(pool.map(_fails, commands))))


def _flags(source: Path) -> Iterator[list[str]]:
    """The flags of each way in which `source` is compiled."""
    includes = [f"-I{NATIVE}", f"-I{PANEL}"]
    if source.parent == PANEL:
        yield ["-std=gnu11", "-pthread", *includes, "-isystem", sysconfig.get_path("include")]
    elif source.is_relative_to(ROOT / "tests"):
        yield ["-std=gnu11", "-pthread", *includes]
    elif source.parent == NATIVE:
        for architecture in ARCHITECTURES.values():
            log = ["-DSCAN_LOG"] if architecture.name == "x64" else []
            yield [*architecture.flags, *log]
    else:
        for name in _EMULATED:
            yield [*ARCHITECTURES[name].flags, *includes]
            if source.parent == BENCH:
                yield [*ARCHITECTURES[name].flags, *includes, "-DUNSERIALIZED"]


def _names(source: Path) -> str:
    """What the linker says of MicroPython's names: see `hall_tools.native.build`."""
    found = sorted(set(re.findall(r"\bMP_QSTR_\w+", source.read_text())))
    return "".join(f"enum {{ {name} = {i} }};\n" for i, name in enumerate(found, 1))


def _fails(command: list[str]) -> bool:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        # The rest of stderr says how many warnings were left out.
        print(done.stdout or done.stderr, end="")
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(min(main(), 1))
