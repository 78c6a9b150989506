"""The process that processes of `hall` are forked from; warm.py starts it and asks.

Argument: the number of a socket's file. A message with a file for stdout and one for stderr is
answered with the pid of a process that runs `hall` with these arguments; one with a pid, with the
exit code of that process, once it has ended. It ends when the other side has closed the socket.
"""

import json
import os
import signal
import socket
import sys
import time
from importlib import import_module
from typing import Any

from hall_tools.cli import main

LONGEST = 1 << 20


def serve(control: socket.socket) -> bool:
    """Whether this is a process that was forked, and has to do what it was asked for."""
    while True:
        message, files, _, _ = socket.recv_fds(control, LONGEST, 2)
        if not message:
            return False
        asked: dict[str, Any] = json.loads(message)
        if "ended" in asked:
            _, status = os.waitpid(asked["ended"], 0)
            control.send(str(os.waitstatus_to_exitcode(status)).encode())
            continue
        pid = os.fork()
        if pid == 0:
            control.close()
            become(asked, files)
            return True
        for file in files:
            os.close(file)
        control.send(str(pid).encode())


def become(asked: dict[str, Any], files: list[int]) -> None:
    """What a process has from its start: files, folder, environment, argv."""
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    os.chdir(asked["folder"])
    os.umask(asked["umask"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    sys.argv = ["-c", *asked["arguments"]]
    sys.orig_argv = [sys.executable, "-c", asked["program"], *asked["arguments"]]
    signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    sys.path[0] = ""  # as with -c: nothing of the tests is imported by chance
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those who run something
    import_module("hall_tools.commands.gateway")  # what takes so long
    if serve(socket.socket(fileno=int(sys.argv[1]))):
        main()
