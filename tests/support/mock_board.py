"""A board with an ESP32 chip, for the real esptool: esp32-mock-bootloader, and a flash as it is.

Here: its process, started and stopped, and its flash as a file. Not here: how it behaves
(mock_board_process.py).
"""

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

_PROCESS = Path(__file__).with_name("mock_board_process.py")
_MB = 1024 * 1024


class MockBoard:
    """A board that is plugged in between start() and stop(), or inside `with`.

    `flash` is a file; it is made, erased, when it is not there, so that a board may be plugged in
    again. `faults` are those of mock_board_process.py.
    """

    def __init__(
        self,
        flash: Path,
        chip: str = "esp32",
        flash_mb: int = 4,
        number: int = 1,
        transport: str = "socket",
        **faults: Any,
    ) -> None:
        self.flash = flash
        self.mac = f"24:0a:c4:00:00:{number:02x}"
        self.spec = {
            "chip": chip,
            "flash": str(flash),
            "flash_mb": flash_mb,
            "mac": number,
            "transport": transport,
            "faults": faults,
        }
        if not flash.exists():
            flash.write_bytes(b"\xff" * (flash_mb * _MB))
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self.start().ready()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Plug in; ready() waits until it can be opened."""
        command = [sys.executable, str(_PROCESS), json.dumps(self.spec)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        return self

    def ready(self) -> Self:
        assert self._process is not None
        assert self._process.stdout is not None
        self.port = self._process.stdout.readline().strip()
        assert self.port, "the mock board did not start"
        return self

    def stop(self) -> None:
        """Unplug."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    @property
    def content(self) -> bytes:
        return self.flash.read_bytes()

    @property
    def programmed(self) -> int:
        """Bytes programmed since the file was made."""
        counted = self.flash.with_suffix(".count")
        return struct.unpack("<Q", counted.read_bytes())[0] if counted.exists() else 0
