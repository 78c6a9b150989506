"""Run MicroPython scripts on the firmware's real modules, compiled as they ship.

`modules()` is a folder with `hall/*.mpy`; `run()` starts the unix port on a script with that folder
on its path, with the heap a device has. A script that fails exits non-zero and shows its traceback.
"""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hall_tools import mpy

# 64-bit words: about what an ESP32 gives an application with its 32-bit words.
DEVICE_HEAP = "192K"


@dataclass(frozen=True)
class Finished:
    """What a script left behind: its output (stderr is merged in, in order) and exit code."""

    output: str
    exit_code: int


@functools.cache
def modules() -> Path:
    """The folder of this test session with the application's modules: `hall/app.mpy` and so on."""
    folder = _session_folder("hall-modules-")
    mpy.write_tree(mpy.application() | mpy.players("esp32"), folder)
    return folder


@functools.cache
def simulation() -> Path:
    """The folder with the simulated `machine`, `network` and `esp32`, for a script's path."""
    folder = _session_folder("hall-simulation-")
    mpy.write_tree(mpy.simulation(), folder)
    return folder


def command(
    script: Path, *arguments: str, path: Sequence[Path] | None = None, heap: str = DEVICE_HEAP
) -> tuple[list[str], dict[str, str]]:
    """argv and environment that run `script`, for tests that need the process itself.

    `path` is the import path after the script's own folder; without one it is `modules()`.
    """
    folders = [modules()] if path is None else path
    search = ":".join([*(str(folder) for folder in folders), ".frozen"])
    interpreter = str(Path(sys.executable).with_name("micropython"))
    argv = [interpreter, "-X", f"heapsize={heap}", str(script), *arguments]
    return argv, os.environ | {"MICROPYPATH": search}


def run(
    script: Path,
    *arguments: str,
    path: Sequence[Path] | None = None,
    heap: str = DEVICE_HEAP,
    timeout: float = 60,
    stdin: str = "",
    check: bool = True,
) -> Finished:
    """Runs a script to its end, at most `timeout` seconds (subprocess.TimeoutExpired beyond).

    With `check`, a non-zero exit fails the test and shows what the script printed.
    """
    argv, environment = command(script, *arguments, path=path, heap=heap)
    done = subprocess.run(
        argv,
        env=environment,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{script.name} exited with {done.returncode}:\n{done.stdout}")
    return Finished(done.stdout, done.returncode)


def _session_folder(prefix: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
