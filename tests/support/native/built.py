"""The modules under test: built from the tree, once a test session, and where the unix port finds
its own.
"""

import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hall_firmware.hall.drivers.description import log_bytes, program_bytes
from hall_tools.native.build import build_own

from support import micropython
from support.native.panels import Panel

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


@dataclass
class Played:
    program: bytes
    log: bytes


def play(jobs: Sequence[tuple[Panel, bytes]]) -> list[Played]:
    """What the x64 module made of each panel and picture, in MicroPython, the log's room being
    exactly what the firmware says that a frame needs."""
    stdin = [
        {
            "description": panel.description.tobytes().hex(),
            "picture": picture.hex(),
            "program_bytes": program_bytes(panel.description),
            "log_bytes": log_bytes(panel.description),
            "outputs": panel.outputs,
        }
        for panel, picture in jobs
    ]
    done = micropython.run(PLAYER, path=[folder()], heap="32M", stdin=json.dumps(stdin))
    lines = [json.loads(line) for line in done.output.splitlines()]
    return [Played(bytes.fromhex(line["program"]), bytes.fromhex(line["log"])) for line in lines]
