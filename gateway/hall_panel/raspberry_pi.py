"""A scanned panel on the GPIO header of a Raspberry Pi, models Zero to 4.

Here: which boards these are, the GPIO block, pins that become outputs and what they were again, and
the panel of a profile's driver and pins (BCM numbers). Not here: the thread that plays it
(`refresh`), what is shown.

Registers: BCM2835 ARM Peripherals, 6.1; the same in the BCM2836, BCM2837 and BCM2711. The Pi 5 has
its GPIO in another chip (RP1), which works otherwise.
"""

import mmap
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hall_panel import _refresh
from hall_panel.refresh import Counters, Refresher

if TYPE_CHECKING:
    from typing_extensions import Buffer

DEVICE = Path("/dev/gpiomem")
"""The GPIO block alone, for members of the group gpio."""
COMPATIBLE = Path("/proc/device-tree/compatible")
"""What the board is, as the kernel's device tree says: names, each ended by a NUL."""

_CHIPS = {"brcm,bcm2835", "brcm,bcm2836", "brcm,bcm2837", "brcm,bcm2711"}
_PAGE = 4096
_PINS = 28
"""BCM 0 to 27 are on the header."""
_SELECT, _SET, _CLEAR = 0x00, 0x1C, 0x28
"""GPFSEL0, of ten pins with three bits each; GPSET0; GPCLR0."""
_OUTPUT = 0b001
_KINDS = ("hub12", "hub08", "hub75")


class BoardError(Exception):
    """This machine cannot drive a panel; the text says why, and what to do."""


class Gpio:
    """The GPIO block of this board, in which pins become outputs until close().

    As an argument of a driver's layout() it has the place of the firmware's `hal`. BoardError:
    another board, or no access.
    """

    def __init__(self, device: Path = DEVICE, compatible: Path = COMPATIBLE) -> None:
        _check_board(compatible)
        try:
            handle = os.open(device, os.O_RDWR | os.O_SYNC | os.O_CLOEXEC)
        except OSError as error:
            raise BoardError(
                f"{device}: {error.strerror}: let this user into the group gpio, and keep the"
                " kernel of Raspberry Pi OS"
            ) from error
        try:
            self._block = mmap.mmap(handle, _PAGE)
        finally:
            os.close(handle)
        self._before: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def registers(self) -> "Buffer":
        return self._block

    def output(self, pin: int, active: str) -> None:
        """Makes BCM `pin` an output at the level that is not `active` ("high" or "low"), which it
        has from the first moment. ValueError: it is not on the header."""
        if not 0 <= pin < _PINS:
            raise ValueError(f"pin {pin}: the header has BCM 0 to {_PINS - 1}")
        _refresh.write(self._block, _CLEAR if active == "high" else _SET, 1 << pin)
        before = self._select(pin, _OUTPUT)
        self._before.setdefault(pin, before)

    def close(self) -> None:
        """Gives the pins the functions that they had, the first one last. What plays must have
        ended; from here on the panel's pull resistor keeps it dark."""
        while self._before:
            self._select(*self._before.popitem())
        self._block.close()

    def _select(self, pin: int, function: int) -> int:
        """The function that the pin had; those of other pins stay."""
        at, shift = _SELECT + pin // 10 * 4, pin % 10 * 3
        word = _refresh.read(self._block, at)
        _refresh.write(self._block, at, word & ~(0b111 << shift) | function << shift)
        return word >> shift & 0b111


class Panel:
    """A panel of a profile: `driver` and `pins` of its config, played by a thread of its own.

    For the firmware's faces it is a panel like any other. ValueError: not a scanned panel, or pins
    that the header has not. `gpio` stays the caller's to close, after this.
    """

    def __init__(
        self, gpio: Gpio, driver: Mapping[str, Any], pins: Mapping[str, int], brightness: int
    ) -> None:
        name = driver["name"]
        if name not in _KINDS:
            raise ValueError(f"driver {name}: a Raspberry Pi drives {', '.join(_KINDS)}")
        drivers = "hall_firmware.hall.drivers"
        geometry, wiring = import_module(f"{drivers}.{name}").layout(driver, pins, gpio)
        describe = import_module(f"{drivers}.description").describe
        self.width: int = geometry.width
        self.height: int = geometry.height
        self.colours: int = geometry.colours
        self.refresh_ms = 1000 // driver["refresh_hz"]
        # The place of the registers is the chip's affair; here they are a buffer.
        description = describe(0, geometry, wiring, brightness)
        self._refresher = Refresher(gpio.registers, description, driver["refresh_hz"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def show(self, picture: "Buffer") -> None:
        """Refresher.show: `colours` planes of width * height / 8 bytes."""
        self._refresher.show(picture)

    def dim(self, percent: int) -> None:
        """Refresher.dim."""
        self._refresher.dim(percent)

    def scan(self) -> None:
        """Nothing to do: the thread plays."""

    @property
    def counters(self) -> Counters:
        return self._refresher.counters

    @property
    def realtime(self) -> bool:
        """Refresher.realtime."""
        return self._refresher.realtime

    def close(self) -> None:
        """Dark, and the thread has ended."""
        self._refresher.close()


def _check_board(compatible: Path) -> None:
    try:
        names = compatible.read_text("ascii").split("\0")
    except (OSError, UnicodeDecodeError):
        names = [""]
    if not _CHIPS.intersection(names):
        board = names[0] or "no board with a device tree"
        raise BoardError(
            f"this is {board}: a panel on the header needs a Raspberry Pi Zero to 4"
            " (a Pi 5's GPIO is another chip); or let an ESP32 drive it"
        )
