"""The serial line of a simulated device: UART0 at one end, a port to plug into at the other.

Here: two terminals (pty(7)) and what passes between them, whoever listens. Not here: what it means
(firmware/hall/console.py, `hall diag`), nor the device's process (`hall_tools.sim`).
"""

import asyncio
import contextlib
import os
import pty
import re
import termios
from collections.abc import Callable

_CHUNK = 4096
_LONGEST_LINE = 4096
_CC = 6
_CTRL_C = b"\x03"


class SerialLine:
    """Open until close(). `said` gets each whole line of the device, for the log. `interrupt` is
    asked for each Ctrl-C whether that is an interrupt; it is a byte as any other if not.

    As on a cable, what the device sends while nobody has the port open is lost beyond what the
    port's buffer takes, the port stays when the device starts again, and what was sent to a device
    that is off never arrives. To be made and used within one event loop.
    """

    def __init__(self, said: Callable[[bytes], None], interrupt: Callable[[], bool]) -> None:
        self._said = said
        self._interrupt = interrupt
        self._rest = b""
        self._uart: int | None = None
        # This process keeps the port's far end open too: it never hangs up.
        self._plug, self._socket = pty.openpty()
        _raw(self._socket)
        os.set_blocking(self._plug, False)
        self.port = os.ttyname(self._socket)
        """The device file for whoever plugs in, as /dev/pts/7."""
        asyncio.get_running_loop().add_reader(self._plug, self._to_device)

    def power_on(self) -> int:
        """The descriptor of the terminal of a device that starts now; the caller closes it."""
        self.power_off()
        self._uart, terminal = pty.openpty()
        _raw(terminal)
        os.set_blocking(self._uart, False)
        asyncio.get_running_loop().add_reader(self._uart, self._from_device)
        return terminal

    def power_off(self) -> None:
        """The device's process has ended: take what it said last."""
        if self._uart is None:
            return
        while self._from_device():
            pass
        asyncio.get_running_loop().remove_reader(self._uart)
        os.close(self._uart)
        self._uart = None
        if self._rest:
            self._said(self._rest)
            self._rest = b""

    def close(self) -> None:
        """Unplugs both ends."""
        self.power_off()
        asyncio.get_running_loop().remove_reader(self._plug)
        os.close(self._plug)
        os.close(self._socket)

    def _from_device(self) -> bool:
        assert self._uart is not None
        try:
            chunk = os.read(self._uart, _CHUNK)
        except BlockingIOError:
            return False
        except OSError:  # EIO: the process has ended
            asyncio.get_running_loop().remove_reader(self._uart)
            return False
        with contextlib.suppress(BlockingIOError):
            os.write(self._plug, chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._said(line)
        if len(self._rest) > _LONGEST_LINE:
            self._said(self._rest)
            self._rest = b""
        return bool(chunk)

    def _to_device(self) -> None:
        chunk = os.read(self._plug, _CHUNK)
        for part in re.split(b"(" + _CTRL_C + b")", chunk):
            if self._uart is None or (part == _CTRL_C and self._interrupt()):
                continue
            # A buffer that is full loses bytes, as the chip's does.
            with contextlib.suppress(OSError):
                os.write(self._uart, part)


def _raw(terminal: int) -> None:
    """Bytes as they are."""
    mode = termios.tcgetattr(terminal)
    mode[:4] = [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL, 0]
    mode[_CC] = [b"\x00"] * len(mode[_CC])
    mode[_CC][termios.VMIN] = b"\x01"
    termios.tcsetattr(terminal, termios.TCSANOW, mode)
