"""Watching a board start after it was flashed, by what it says on its serial port.

Here: which lines mean that it works, and which that it does not. Not here: its console's commands
(hall_tools.diag).
"""

import termios
import time
from collections.abc import Callable
from typing import NamedTuple

import serial

from hall_tools.flash.advice import BoardError

PATIENCE_S = 15.0
"""The boot loader, a first format of the journal, and the import of the application; measured on no
board yet."""
JOIN_S = 15.0
"""And from there Wi-Fi, TLS and the gateway's answer; measured on no board yet. Shorter than the
60 s after which the firmware confirms its start without a gateway."""

_RESTARTS = 3
_LINE_MAX = 512


class Started(NamedTuple):
    """`version` is what the firmware said of its start, `joined` whether the gateway has answered
    it, `trouble` what it complained of last until then, or ""."""

    version: str
    joined: bool
    trouble: str

    def words(self) -> str:
        """For a line."""
        if self.joined:
            return f"started ({self.version}) and joined the hall"
        last = f" ({self.trouble})" if self.trouble else ""
        return (
            f"started ({self.version}), but the gateway has not answered it{last}; it goes on "
            "trying, and out of the hall's Wi-Fi that is right"
        )


def started(
    port: serial.Serial, name: str, clock: Callable[[], float] = time.monotonic
) -> Started | None:
    """How the firmware's start went; None when nothing was seen of it in PATIENCE_S.

    Raises BoardError: the board waits for a download, its program does not start, or the firmware
    says that it cannot work.
    """
    end = clock() + PATIENCE_S
    seen: Started | None = None
    resets = 0
    try:
        port.timeout = 0.2
        buffer = b""
        while clock() < end and not (seen and seen.joined):
            buffer = (buffer + port.read(port.in_waiting or 1))[-_LINE_MAX:]
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                text = line.decode("utf-8", "replace").strip()
                resets += "rst:0x" in text
                _check(text, name, resets)
                if "] start: " in text:
                    seen, end = Started(text.partition("] start: ")[2], False, ""), clock() + JOIN_S
                elif seen:
                    seen = _further(seen, text)
    except (OSError, termios.error):
        return seen  # native USB: the port goes away with a reset
    return seen


def _further(seen: Started, text: str) -> Started:
    """What a later line adds."""
    said = text.partition("] ")[2]
    if said.startswith("confirmed: "):
        return seen._replace(joined=True)
    if said.startswith(("error: ", "wifi: ")):
        return seen._replace(trouble=said.removeprefix("error: "))
    return seen


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
