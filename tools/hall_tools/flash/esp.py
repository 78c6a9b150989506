"""What is used of esptool, typed: its boot loader's commands, and a log that stays silent.

Here: the seam to esptool 5. Not here: in which order its commands are used (board.py).
"""

import struct
from typing import Any, Protocol, cast

import serial
from esp_pylib.logger import EspLog, EspLogBase  # pyright: ignore[reportMissingTypeStubs]
from esptool import cmds, loader  # pyright: ignore[reportMissingTypeStubs]
from esptool.util import (  # pyright: ignore[reportMissingTypeStubs]
    FatalError,
    flash_size_bytes,  # pyright: ignore[reportUnknownVariableType]
    strip_chip_name,  # pyright: ignore[reportUnknownVariableType]
)

__all__ = ["ERRORS", "ROM_BAUD", "Loader", "attach", "chip_of", "flash_bytes", "rom", "stub"]

ROM_BAUD = 115200
"""The speed at which a chip's ROM is spoken to, and its log is read."""


class Loader(Protocol):
    """The boot loader of a chip: esptool's ESPLoader, in ROM or as the stub in RAM."""

    CHIP_NAME: str
    FLASH_WRITE_SIZE: int
    secure_download_mode: bool

    def change_baud(self, baud: int) -> None: ...
    def flash_defl_begin(self, size: int, compsize: int, offset: int) -> int: ...
    def flash_defl_block(self, data: bytes, seq: int, timeout: float) -> None: ...
    def flash_defl_finish(self, reboot: bool, timeout: float) -> None: ...
    def flash_id(self, cache: bool = True) -> int: ...
    def flash_md5sum(self, addr: int, size: int) -> str: ...
    def flash_set_parameters(self, size: int) -> None: ...
    def get_chip_revision(self) -> int: ...
    def get_flash_encryption_enabled(self) -> bool: ...
    def get_secure_boot_enabled(self) -> bool: ...
    def hard_reset(self) -> None: ...
    def read_flash(self, offset: int, length: int) -> bytes: ...
    def read_mac(self) -> tuple[int, ...]: ...


class _Silent(EspLogBase):
    """esptool reports by exceptions; its terminal output would tear ours."""

    def print(self, *args: Any, **kwargs: Any) -> None: ...
    def err(self, *args: Any, suggestion: str | None = None) -> None: ...
    def warn(self, *args: Any, suggestion: str | None = None) -> None: ...
    def note(self, *args: Any) -> None: ...
    def hint(self, *args: Any) -> None: ...
    def debug(self, *args: Any) -> None: ...
    def set_verbosity(self, mode: int | str) -> None: ...
    def progress_bar(
        self,
        cur_iter: int,
        total_iters: int,
        prefix: str = "",
        suffix: str = "",
        bar_length: int = 30,
    ) -> None: ...


class _NoHex:
    """Stands for bytes in a trace that nobody reads.

    esptool 5.6 formats every byte that it sends and receives, traced or not: three quarters of the
    time to flash a mock board (1.9 s of CPU for 545 KB, 0.5 s without), and all boards of a batch
    share one interpreter.
    """

    def __init__(self, *_: object) -> None: ...


ERRORS = (FatalError, IndexError, ValueError, struct.error)
"""What esptool's functions raise: the latter when a damaged reply is shorter than it should be."""

EspLog.set_logger(_Silent())
loader.HexFormatter = _NoHex  # pyright: ignore[reportAttributeAccessIssue]


def rom(port: serial.Serial, reset: bool, attempts: int) -> Loader:
    """The ROM boot loader behind an open port, after the reset into it if `reset`.

    Raises FatalError.
    """
    mode = "default-reset" if reset else "no-reset"
    opened = cast("Any", port)
    return cast("Loader", cmds.detect_chip(opened, connect_mode=mode, connect_attempts=attempts))


def stub(esp: Loader) -> Loader:
    """esptool's stub, loaded into RAM and running: quicker, and it can compress."""
    return cast("Loader", cmds.run_stub(cast("Any", esp)))


def attach(esp: Loader) -> None:
    """Make the flash chip known to the boot loader."""
    cmds.attach_flash(cast("Any", esp))


def flash_bytes(esp: Loader) -> int | None:
    """The size of the flash chip, by its JEDEC id; None when the chip names none."""
    return flash_size_bytes(cmds.detect_flash_size(cast("Any", esp)))


def chip_of(esp: Loader) -> str:
    """As a device profile names it, e.g. "esp32s3"."""
    return str(strip_chip_name(esp.CHIP_NAME))
