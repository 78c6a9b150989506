"""The modules under test: built from the tree, once a test session, and where the unix port finds
its own.
"""

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path

from hall_firmware.hall.drivers.description import program_bytes
from hall_tools.native.build import build_own

from support import micropython
from support.native.panels import Words

PLAYER = Path(__file__).parents[2] / "unit" / "mp_native_player.py"


@functools.cache
def module(architecture: str) -> bytes:
    return build_own(architecture)


@functools.cache
def folder() -> Path:
    """For a script's path: `import scan` is the module of the unix port."""
    made = Path(tempfile.mkdtemp(prefix="hall-native-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    (made / "scan.mpy").write_bytes(module("x64"))
    return made


def play(jobs: list[tuple[Words, bytes]]) -> list[tuple[bytes, bytes]]:
    """(program, log) of each (description, picture), by the x64 module in MicroPython."""
    stdin = [
        {
            "description": description.tobytes().hex(),
            "picture": picture.hex(),
            "program_bytes": program_bytes(description),
        }
        for description, picture in jobs
    ]
    done = micropython.run(PLAYER, path=[folder()], heap="32M", stdin=json.dumps(stdin))
    lines = [json.loads(line) for line in done.output.splitlines()]
    return [(bytes.fromhex(line["program"]), bytes.fromhex(line["log"])) for line in lines]
