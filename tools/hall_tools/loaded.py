"""What a device loads of the application that ships to all of them.

Here: starting one in simulation up to the moment when its tasks would run, and how much of its heap
is free then. Not here: one that runs (`hall_tools.sim`), and how much it may load and must leave
free (`hall firmware size`).
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hall_tools import deploy, mpy
from hall_tools.errors import UserError
from hall_tools.sim import FLASH, heap

_LONGEST_S = 60
_SAID = "loaded: "
_FREE = re.compile(r"\[\d+\] heap: (\d+) bytes free")
# Nothing is on the lines of the simulated world, descriptors 3 and 4.
_START = """
import os, sys, micropython_run
os.dup2(os.open(os.devnull, os.O_RDWR), 3)
os.dup2(3, 4)
sys.exit(micropython_run.run_main(["micropython", *sys.argv[1:]]))
"""


class Load(NamedTuple):
    """`modules` as `hall/app.mpy`; `free`: bytes of the heap, of `hall_tools.sim.heap()` in all."""

    modules: list[str]
    free: int


def loaded(config: dict[str, Any]) -> Load:
    """What a device of `config` has loaded when it is complete.

    Machine code and what the chip itself compiles are not among the modules, nor are those that the
    device has given back to its heap by then. Raises UserError: this firmware lacks what the
    profile needs. Needs what check_unix_port() looks for.
    """
    keys = {"secret": "00" * 16, "salt": "00" * 8, "id": "01", "gateway_id": "00"}
    wifi = [["simulated", "simulated"]]
    ident = {"device": config["device"], "psk": None, "oscore": keys, "wifi": wifi}
    with tempfile.TemporaryDirectory(prefix="hall-loaded-") as folder:
        deploy.deploy(Path(folder) / FLASH, config, ident)
        mpy.write_tree(mpy.simulation(), Path(folder) / "sim")
        said = _start(Path(folder), heap(config))
    names = [line.removeprefix(_SAID) for line in said if line.startswith(_SAID)]
    needed = {f"hall.roles.{config['role']}", f"hall.{config['transport']}"}
    faults = [line for line in said if "error: " in line or "Error: " in line]
    faults += [f"it has not loaded {name}" for name in sorted(needed.difference(names))]
    free = [found[1] for line in said if (found := _FREE.fullmatch(line))]
    if not free:
        faults.append("it has not told its heap")
    if faults:
        raise UserError(
            f"{config['profile']}: the device is not complete: {'; '.join(faults)}", os.EX_SOFTWARE
        )
    shipped = mpy.application()
    paths = [f"{name.replace('.', '/')}.mpy" for name in names]
    return Load(sorted(path for path in paths if path in shipped), int(free[0]))


def _start(folder: Path, heap_bytes: int) -> list[str]:
    done = subprocess.run(
        [
            *(sys.executable, "-c", _START, "-X", f"heapsize={heap_bytes}"),
            *("-m", "loaded", FLASH, "rtc.bin"),
        ],
        cwd=folder,
        env=os.environ | {"MICROPYPATH": "sim:.frozen"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=_LONGEST_S,
        check=False,
    )
    return done.stdout.splitlines()
