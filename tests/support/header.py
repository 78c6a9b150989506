"""A Raspberry Pi's header that is files, and the eye in front of the panel that hangs on it.

Here: registers, what board it is, what was played last and how it looks. Not here: who plays it.

What is played goes through the thread and to the registers as on a Pi; memory only keeps the last
store to each, so the pictures given to the thread are written down too, and played once more by the
same C code into a record (pi_trace), which the eye reads.
"""

import mmap
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hall_firmware.hall.drivers import description as words
from hall_panel import _refresh, raspberry_pi
from hall_panel.eye import Eye
from hall_panel.raspberry_pi import Gpio
from hall_panel.refresh import Refresher
from hall_tools.demo.eyes import Eyes, Picture

from support.native import pi_trace
from support.native.panels import make

PI_4 = b"raspberrypi,4-model-b\0brcm,bcm2711\0"
PI_5 = b"raspberrypi,5-model-b\0brcm,bcm2712\0"
GPSET0, GPCLR0 = 0x1C, 0x28


class Header:
    """The header of the board in `folder`, and the panel of `config` there."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.device = folder / "gpiomem"
        self.board = folder / "compatible"
        self.given = folder / "given"
        self._config = config

    def make(self, board: bytes = PI_4) -> None:
        """The files of a board that was just switched on."""
        self.device.parent.mkdir(parents=True)
        self.device.write_bytes(bytes(4096))
        self.board.write_bytes(board)

    def open(self) -> Gpio:
        return Gpio(self.device, self.board)

    def watch(self) -> None:
        """From now on this process writes down what its panels are given."""
        given = self.given

        class Watched(Refresher):
            def show(self, picture: Any) -> None:
                super().show(picture)
                lit = self._description[words.LIT]
                new = given.with_suffix(".new")
                new.write_bytes(lit.to_bytes(4, "little") + bytes(picture))
                new.replace(given)

        raspberry_pi.Refresher = Watched

    @property
    def lit(self) -> int:
        """Pairs of stores that each row is lit for."""
        return int.from_bytes(self.given.read_bytes()[:4], "little")

    def seen(self) -> str:
        """The lines of text that the eye sees of what was given last; "" when there is none."""
        if not self.given.exists():
            return ""
        panel = make(dict(self._config), 0, lit=40)
        eye = Eye(self._config["driver"], self._config["pins"])
        stores = pi_trace.frame(panel, self.given.read_bytes()[4:])
        log = pi_trace.as_log(stores, panel.outputs)
        eye.frame(log, eye.frame(log, 0) + 1_000_000)
        picture = eye.picture()
        rows = tuple(int(row, 16) for row in picture.rows())
        return Eyes().read(Picture(picture.width, picture.height, rows))

    def is_dark(self) -> bool:
        """Whether the last stores were those that switch the light off."""
        panel = make(dict(self._config), 0)
        off = panel.enable & ~panel.light
        with self.device.open("r+b") as file, mmap.mmap(file.fileno(), 4096) as registers:
            last = [_refresh.read(registers, at) for at in (GPCLR0, GPSET0)]
        return last == [panel.enable ^ off, off]

    def outputs(self) -> list[int]:
        """The BCM numbers of the pins that are outputs."""
        selected = array("I", self.device.read_bytes()[: 4 * 4])
        return [pin for pin in range(40) if selected[pin // 10] >> pin % 10 * 3 & 7 == 1]
