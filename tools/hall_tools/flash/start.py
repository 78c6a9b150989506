"""Watching a board start after it was flashed, by what it says on its serial port.

Here: which lines mean that it works, and which that it does not. Not here: its console's commands
(hall_tools.diag).
"""

import termios
import time
from collections.abc import Callable

import serial

from hall_tools.flash.advice import BoardError

PATIENCE_S = 15.0
"""The boot loader, a first format of the journal, and the import of the application; measured on no
board yet."""

_RESTARTS = 3
_LINE_MAX = 512


def started(
    port: serial.Serial, name: str, clock: Callable[[], float] = time.monotonic
) -> str | None:
    """What the firmware said of its start; None when nothing was seen in PATIENCE_S.

    Raises BoardError: the board waits for a download, its program does not start, or the firmware
    says that it cannot work.
    """
    end = clock() + PATIENCE_S
    said: str | None = None
    resets = 0
    try:
        port.timeout = 0.2
        buffer = b""
        while clock() < end:
            buffer = (buffer + port.read(port.in_waiting or 1))[-_LINE_MAX:]
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                text = line.decode("utf-8", "replace").strip()
                resets += "rst:0x" in text
                _check(text, name, resets)
                if "] start: " in text:
                    said, end = text.partition("] start: ")[2], clock() + 1
    except (OSError, termios.error):
        return said  # native USB: the port goes away with a reset
    return said


def _check(text: str, name: str, resets: int) -> None:
    if "waiting for download" in text:
        raise BoardError(
            f"{name}: flashed, but it does not start: its BOOT key is held, or its boot pin is "
            "wired low; release it and press EN (or RST)"
        )
    if "] stopped: " in text:
        why = text.partition("] stopped: ")[2]
        raise BoardError(f"{name}: flashed and started, but it cannot work: {why}")
    if resets > _RESTARTS:
        raise BoardError(
            f"{name}: flashed, but it starts over and over; is its supply strong enough (500 mA), "
            "and the MicroPython the right one for this board? `hall diag` shows what it says"
        )
