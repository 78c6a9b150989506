"""What the service manager is told of this process, and the health file that `hall doctor` reads.

Here: sd_notify(3) and the file. Not here: whether the gateway makes progress (service.py).
Started by hand there is no service manager and no folder of this process; then nothing is told.
"""

import json
import logging
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

log = logging.getLogger(__name__)

HEALTH_FILE = "health.json"
"""In the unit's RuntimeDirectory, in memory: writing it often wears no SD card."""


START_S = 600
"""As TimeoutStartSec of the unit: a slow SD card takes minutes for a whole store."""


class ServiceManager:
    """systemd, as its environment variables tell of it: NOTIFY_SOCKET, WATCHDOG_USEC,
    RUNTIME_DIRECTORY.

    `clock` gives unix ms.
    """

    def __init__(self, environment: Mapping[str, str], clock: Callable[[], int]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        folder = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
        self._file = Path(folder, HEALTH_FILE) if folder else None
        self._clock = clock
        self._status = ""
        self._watchdog = environment.get("WATCHDOG_USEC", "")

    def ready(self, status: str) -> None:
        """The gateway works; `status` is a line for `systemctl status`."""
        watchdog = [f"WATCHDOG_USEC={self._watchdog}"] if self._watchdog else []
        self._notify("READY=1", f"STATUS={status}", *watchdog)

    def progressed(self, health: Callable[[], Mapping[str, object]]) -> None:
        """The gateway makes progress, which it says once a second: feeds the watchdog."""
        self._notify("WATCHDOG=1")
        if self._file is not None:
            self._write(self._file, {"at": self._clock(), **health()})

    def status(self, line: str) -> None:
        """How the gateway is, for `systemctl status`; told when it changes."""
        if line != self._status:
            self._status = line
            self._notify(f"STATUS={line}")

    def starting_again(self) -> None:
        """The same process starts again, and looks at its whole store for that."""
        self._notify("RELOADING=1", f"WATCHDOG_USEC={START_S * 1_000_000}")

    def stopping(self) -> None:
        """The gateway ends in order."""
        self._notify("STOPPING=1")

    def _notify(self, *lines: str) -> None:
        if not self._address:
            return
        # "@" stands for the NUL of an abstract address.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            try:
                sender.sendto("\n".join(lines).encode(), address)
            except OSError as error:
                log.warning("%s: the service manager cannot be told: %s", self._address, error)

    @staticmethod
    def _write(path: Path, health: Mapping[str, object]) -> None:
        beside = path.with_name(f".{path.name}")
        try:
            beside.write_text(json.dumps(health, ensure_ascii=False), encoding="utf-8")
            beside.chmod(0o644)
            beside.replace(path)
        except OSError as error:
            log.warning("%s: the health file cannot be written: %s", path, error)
