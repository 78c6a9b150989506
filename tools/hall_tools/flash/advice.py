"""What went wrong between this computer and a board, and what a person can do about it.

Here: the words for it, from what pyserial, the operating system and esptool report. Not here: when
to try again.
"""

import errno
import getpass
import grp
import os
from pathlib import Path

from hall_tools.errors import UserError

DOWNLOAD_MODE = "hold the board's BOOT key, press and release EN (or RST), release BOOT"
_AGAIN = "run the same command again, it goes on where this one stopped"

# What esptool 5 says when no connection comes about -> what that means to an installer.
_NO_CONNECTION = {
    "Wrong boot mode": "it runs its program and does not listen; " + DOWNLOAD_MODE,
    "Download mode successfully detected": (
        "it waits for us but hears nothing: something is wired to its RX pin, or the cable is "
        "broken; take the board out of its case wiring, or try another cable"
    ),
    "No serial data received": (
        "it does not answer; try another cable (many only charge) and see that its power light is "
        "on, then " + DOWNLOAD_MODE
    ),
    "noise or corruption": (
        "what it says is garbled; try another cable, without a hub, and take off what is wired to "
        "its TX and RX pins"
    ),
}


class BoardError(UserError):
    """A board that cannot be flashed: which port, what, and what to do."""


def not_opened(port: str, error: OSError) -> BoardError:
    """A port that cannot be opened, from pyserial's or the system's error."""
    number = error.errno
    if number == errno.ENOENT:
        text = "there is no such port; plug the board in, or leave --port out to have it found"
        return BoardError(f"{port}: {text}", os.EX_NOINPUT)
    if number in (errno.EACCES, errno.EPERM):
        return BoardError(f"{port}: {_permission(port)}", os.EX_NOPERM)
    if number in (errno.EAGAIN, errno.EBUSY):
        text = (
            "another program uses this port (hall diag, mpremote, a serial monitor, "
            f"ModemManager); close it: `fuser -v {port}` names it"
        )
        return BoardError(f"{port}: {text}", os.EX_TEMPFAIL)
    if number in (errno.ENOTTY, errno.EISDIR) or "Could not configure" in str(error):
        text = "this is no serial port; right: one as /dev/ttyUSB0; without --port it is found"
        return BoardError(f"{port}: {text}", os.EX_USAGE)
    reason = os.strerror(number) if number else str(error)
    return BoardError(f"{port}: cannot be opened: {reason}; unplug the board and plug it in again")


def not_connected(port: str, reason: str) -> BoardError:
    """A board that did not answer; `reason` is esptool's."""
    for sign, meaning in _NO_CONNECTION.items():
        if sign in reason:
            return BoardError(f"{port}: {meaning}", os.EX_UNAVAILABLE)
    first = _first_line(reason)
    return BoardError(f"{port}: no connection: {first}; {DOWNLOAD_MODE}", os.EX_UNAVAILABLE)


def gone(port: str, doing: str) -> BoardError:
    """The port vanished, or took no more bytes."""
    text = f"the board went away while {doing}; check its cable and power, then {_AGAIN}"
    return BoardError(f"{port}: {text}", os.EX_IOERR)


def refused(port: str, doing: str, reason: str) -> BoardError:
    """The board answered with an error, or not any more; `reason` is esptool's."""
    text = f"{doing} failed: {_first_line(reason)}; try another cable, then {_AGAIN}"
    return BoardError(f"{port}: {text}", os.EX_IOERR)


def not_held(port: str, address: int) -> BoardError:
    """The flash chip did not keep what was written, twice."""
    text = (
        f"verify failed at 0x{address:06x}: the flash does not hold what was written to it, not at "
        "the second try either; try another cable and supply; if it stays so, the board is bad"
    )
    return BoardError(f"{port}: {text}", os.EX_IOERR)


def _permission(port: str) -> str:
    try:
        group = grp.getgrgid(Path(port).stat().st_gid).gr_name
    except (OSError, KeyError):
        group = "dialout"
    return (
        f"you may not use this port, members of the group {group} may; run: "
        f"sudo usermod -aG {group} {getpass.getuser()}, then log out and in again"
    )


def _first_line(reason: str) -> str:
    """Without what esptool adds for those who call it: where its documentation is."""
    line = (reason.strip().splitlines() or ["no reason given"])[0]
    return line.partition(". ")[0].rstrip(".")
