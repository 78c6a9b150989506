"""The process of a simulated device: MicroPython's unix port, tied to the life of its parent.

Run as `python -m hall_tools.interpreter PARENT_PID ARGUMENT ...` with the arguments of the
`micropython` command. Here: dying with the parent. Not here: who starts it (`hall_tools.sim`).
"""

import ctypes
import importlib
import os
import signal
import sys
from typing import Any

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent died before its device was started")
    unix_port: Any = importlib.import_module("micropython_run")
    sys.exit(unix_port.run_main(["micropython", *sys.argv[2:]]))


if __name__ == "__main__":
    main()
