"""Serial ports that a board may hang on.

Here: finding them by pyserial, and which is meant when none is named. Not here: talking to a board.
"""

import os
import re
from typing import NamedTuple

from serial.tools import list_ports

from hall_tools.errors import UserError

# Vendors of the USB bridges on ESP32 boards, and Espressif itself for chips with USB of their own.
# Other serial devices (scanners, modems, receivers) must not be reset by us.
_ESPRESSIF = 0x303A
_VENDORS = {_ESPRESSIF, 0x10C4, 0x1A86, 0x0403, 0x067B}  # Silicon Labs, WCH, FTDI, Prolific


class Port(NamedTuple):
    """`name` is what is opened; `place` the USB socket it hangs on, as "1-1.3", or ""."""

    name: str
    place: str = ""
    mac: str | None = None
    """The board's MAC, where USB tells it before the port is opened."""

    def words(self) -> str:
        """The port as an installer can find it."""
        return f"{self.name} (USB socket {self.place})" if self.place else self.name


def boards() -> list[Port]:
    """The ports of all boards that are plugged in, in the order of their names."""
    found: list[Port] = []
    for port in list_ports.comports():
        if port.vid not in _VENDORS:
            continue
        mac = port.serial_number if port.vid == _ESPRESSIF else None
        found.append(Port(port.device, port.location or "", mac.lower() if mac else None))
    return sorted(found, key=_natural)


def only_board(named: str) -> Port:
    """The one board that is plugged in; `named`: how a user names a port, with {} in its place.

    Raises UserError (EX_NOINPUT: there is none; EX_USAGE: there are several).
    """
    found = boards()
    if not found:
        raise UserError(
            "no board found: no USB serial port; plug the board in, with a cable that carries data "
            f"(many only charge); or name its port: {named.format('/dev/ttyUSB0')}",
            os.EX_NOINPUT,
        )
    if len(found) > 1:
        listed = ", ".join(port.words() for port in found)
        raise UserError(
            f"{len(found)} boards found: {listed}; unplug the others, or name one: "
            f"{named.format(found[0].name)}",
            os.EX_USAGE,
        )
    return found[0]


def _natural(port: Port) -> list[tuple[int, str]]:
    """ttyUSB2 before ttyUSB10."""
    parts = re.split(r"(\d+)", port.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
