"""The serial port that a device hangs on: opened, and opened again when it was unplugged.

Here: bytes of one port. Not here: what they mean (frames.py), which port (hall_tools.flash.ports).
"""

import os
import time

import serial

from hall_tools.errors import UserError

BAUD = 115200
_READ_S = 0.02
_AGAIN_S = 0.2


class Port:
    """Raises UserError when the port cannot be opened in the first place; later losses are waited
    out, and `is_open` says so."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.losses = 0
        """How often it was there no more."""
        self._next = 0.0
        try:
            self._serial: serial.Serial | None = self._open()
        except (OSError, ValueError) as error:
            raise UserError(f"{name}: {_advice(name, error)}", os.EX_NOINPUT) from None

    @property
    def is_open(self) -> bool:
        return self._serial is not None

    def read(self) -> bytes | None:
        """What came within 20 ms; None when the port was lost since, and is open again."""
        if self._serial is None:
            return self._reopen()
        try:
            return self._serial.read(self._serial.in_waiting or 1)
        except OSError:  # serial.SerialException is one
            self._lose()
            return b""

    def write(self, data: bytes) -> None:
        """Sends, or loses it with the port."""
        if self._serial is None:
            return
        try:
            self._serial.write(data)
        except OSError:
            self._lose()

    def close(self) -> None:
        if self._serial is not None:
            self._serial.close()
            self._serial = None

    def _open(self) -> serial.Serial:
        # DTR and RTS stay as opening sets them, both on: one without the other resets a board.
        return serial.Serial(self.name, BAUD, timeout=_READ_S, write_timeout=1, exclusive=True)

    def _lose(self) -> None:
        self.losses += 1
        self.close()

    def _reopen(self) -> bytes | None:
        wait = self._next - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, _READ_S))
            return b""
        self._next = time.monotonic() + _AGAIN_S
        try:
            self._serial = self._open()
        except (OSError, ValueError):
            return b""
        return None


def _advice(name: str, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if isinstance(error, PermissionError) or number == 13:
        return (
            "no permission to open it; add yourself to its group (sudo adduser $USER dialout) and "
            "log in again"
        )
    if isinstance(error, FileNotFoundError) or number == 2:
        return "there is no such port; is the board plugged in? hall diag without a name finds it"
    if "lock" in str(error):
        return "another program has it open; close that first"
    return f"cannot open it as a serial port: {getattr(error, 'strerror', None) or error}"
