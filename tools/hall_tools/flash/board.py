"""A board on a serial port: what it is, its flash, and its start into the firmware.

Here: the order of esptool's commands, and turning its errors into words (advice.py). Not here: what
is to be written (flasher.py).
"""

import termios
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Self, cast

import serial

from hall_tools.flash import advice, esp
from hall_tools.flash.ports import Port
from hall_tools.image.base import BOOT_ADDRESS

_FAST_BAUD = 460800
_ATTEMPTS = 7
# Of what is written in one go: the most that a second run has to write again.
_PIECE = 128 * 1024
# Erasing a piece: 2 blocks of 64 KB, 2 s each at most in common NOR data sheets; doubled.
_PIECE_TIMEOUT_S = 8.0
_MB = 1024 * 1024

Told = Callable[[int], None]
"""Is called with the number of bytes done since the last time; may raise to stop."""


class _TooFastError(Exception):
    """The board, or its USB bridge, does not keep up with the speed that we asked for."""


class Board:
    """An open connection to a board's boot loader. All methods raise advice.BoardError.

    `chip` is as in a profile, `mac` as on a sticker ("24:0a:c4:00:00:01"), `revision` of the chip
    100 * major + minor, `flash_mb` its flash in MB, a fraction when it has less than one.
    """

    def __init__(self, port: Port, attempts: int = _ATTEMPTS) -> None:
        self.port = port
        self._serial = _open(port.name)
        try:
            try:
                self._loader = self._connect(attempts)
                self._identify(_FAST_BAUD)
            except _TooFastError:
                self._loader = self._connect(attempts)
                self._identify(esp.ROM_BAUD)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the board as it is; closing twice does nothing."""
        with suppress(OSError, termios.error):
            self._serial.close()

    def md5(self, address: int, size: int) -> str:
        """The MD5 of a piece of flash, in hex."""
        with self._told("comparing"):
            return self._loader.flash_md5sum(address, size)

    def read(self, address: int, size: int) -> bytes:
        """A piece of flash."""
        with self._told("reading its flash"):
            return self._loader.read_flash(address, size)

    def write(self, address: int, content: bytes, told: Told) -> None:
        """Erase and write whole sectors."""
        for start in range(0, len(content), _PIECE):
            with self._told("writing"):
                self._write_piece(address + start, content[start : start + _PIECE], told)

    def can_reset(self) -> bool:
        """Whether the port has the lines that reset a board; a network port has not."""
        if self.port.name.startswith("socket:"):
            return False
        try:
            return self._serial.cts in (True, False)
        except (OSError, termios.error):
            return False

    def restart(self) -> serial.Serial:
        """Reset the board into its firmware; the port, open at the speed of the board's log."""
        with self._told("restarting"):
            self._serial.baudrate = esp.ROM_BAUD
            self._serial.reset_input_buffer()
            self._loader.hard_reset()
        return self._serial

    def _connect(self, attempts: int) -> esp.Loader:
        try:
            return esp.rom(self._serial, self.can_reset(), attempts)
        except esp.ERRORS as error:
            raise advice.not_connected(self.port.name, str(error)) from None
        except (OSError, termios.error):
            raise advice.gone(self.port.name, "connecting") from None

    def _identify(self, baud: int) -> None:
        """Raises _TooFastError when nothing is understood any more at `baud`."""
        with self._told("reading what it is"):
            loader = self._loader
            self.chip = esp.chip_of(loader)
            self._refuse_foreign()
            self.mac = ":".join(f"{byte:02x}" for byte in loader.read_mac())
            self._refuse_locked()
            self.revision = loader.get_chip_revision()
            self._loader = esp.stub(loader)
        self._speed_up(baud)
        with self._told("reading what its flash is"):
            self._find_flash()

    def _speed_up(self, baud: int) -> None:
        if baud == esp.ROM_BAUD:
            return
        try:
            self._loader.change_baud(baud)
            self._loader.flash_id(cache=False)
        except esp.ERRORS:
            self._serial.baudrate = esp.ROM_BAUD
            raise _TooFastError from None
        except (OSError, termios.error):
            raise advice.gone(self.port.name, "changing the speed") from None

    def _find_flash(self) -> None:
        loader = self._loader
        esp.attach(loader)
        size = esp.flash_bytes(loader)
        if size is None:
            raise advice.BoardError(
                f"{self.port.name}: its flash chip does not answer (id {loader.flash_id():06x}); "
                "take off what is wired to the flash pins; if it stays so, the board is bad"
            )
        loader.flash_set_parameters(size)
        self.flash_mb = size / _MB

    def _refuse_foreign(self) -> None:
        """Before anything else is asked, which not every chip answers."""
        if self.chip not in BOOT_ADDRESS:
            raise advice.BoardError(
                f"{self.port.name}: wrong chip: this board has an {self.chip}; "
                f"right: {', '.join(BOOT_ADDRESS)}"
            )

    def _refuse_locked(self) -> None:
        loader = self._loader
        locked = (
            "secure download mode"
            if loader.secure_download_mode
            else "flash encryption"
            if loader.get_flash_encryption_enabled()
            else "secure boot"
            if loader.get_secure_boot_enabled()
            else None
        )
        if locked:
            raise advice.BoardError(
                f"{self.port.name}: {locked} was turned on for good by somebody, so this board "
                "takes no firmware of ours; use another board"
            )

    def _write_piece(self, address: int, piece: bytes, told: Told) -> None:
        loader, packed = self._loader, zlib.compress(piece, 9)
        loader.flash_defl_begin(len(piece), len(packed), address)
        done = 0
        for seq, start in enumerate(range(0, len(packed), loader.FLASH_WRITE_SIZE)):
            block = packed[start : start + loader.FLASH_WRITE_SIZE]
            loader.flash_defl_block(block, seq, _PIECE_TIMEOUT_S)
            now = len(piece) * (start + len(block)) // len(packed)
            told(now - done)
            done = now
        # A block is confirmed when it has arrived; this, when the last one has been written.
        loader.flash_defl_finish(False, _PIECE_TIMEOUT_S)

    @contextmanager
    def _told(self, doing: str) -> Generator[None]:
        try:
            yield
        except esp.ERRORS as error:
            raise advice.refused(self.port.name, doing, str(error)) from None
        except (OSError, termios.error):  # pyserial's SerialException is an OSError
            raise advice.gone(self.port.name, doing) from None


def _open(name: str) -> serial.Serial:
    try:
        opened = serial.serial_for_url(name, esp.ROM_BAUD, exclusive=True)
        return cast("serial.Serial", opened)
    except ValueError as error:
        raise advice.BoardError(f"{name}: no port: {error}") from None
    except OSError as error:
        raise advice.not_opened(name, error) from None
    except termios.error as error:
        raise advice.not_opened(name, OSError(*error.args)) from None
