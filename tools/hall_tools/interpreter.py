"""The process of a simulated device: MicroPython's unix port, tied to the life of its parent.

Run as `python -m hall_tools.interpreter PARENT_PID TERMINAL ARGUMENT ...` with the arguments of the
`micropython` command. TERMINAL, a descriptor, becomes its stdin, stdout and terminal, as UART0 is
the chip's; what were stdin and stdout are descriptors 3 and 4, the simulated world's. Here: that,
and dying with the parent. Not here: who starts it (`hall_tools.sim`).
"""

import ctypes
import fcntl
import importlib
import os
import signal
import sys
from typing import Any

_PR_SET_PDEATHSIG = 1  # prctl(2)


_ABOVE = 10  # no descriptor that is given a meaning here


def _wire(terminal: int) -> None:
    terminal = fcntl.fcntl(terminal, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
    os.dup2(0, 3)
    os.dup2(1, 4)
    for standard in (0, 1, 2):
        os.dup2(terminal, standard)


def main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent died before its device was started")
    _wire(int(sys.argv[2]))
    unix_port: Any = importlib.import_module("micropython_run")
    sys.exit(unix_port.run_main(["micropython", *sys.argv[3:]]))


if __name__ == "__main__":
    main()
