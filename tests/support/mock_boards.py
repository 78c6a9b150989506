"""A hall's folder and mock boards to flash: fixtures for tests of `hall flash`.

Here: what several test files set up alike. Not here: a mock board (mock_board.py).
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hall_gateway.keys import KeyStore
from hall_profiles import load

from support.micropython_base import write_base
from support.mock_board import MockBoard

_HALL = """
hall = "demo"
[store]
path = "hall.db"
[broker]
device_host = "192.168.1.10"
[upstream]
host = "hall.example"
tls = true
"""
_WINDOW = '[[window]]\nid = "{0}"\n'
_DEVICE = '[[device]]\nid = "{0}"\nprofile = "{1}"\nwindow = "{2}"\n'


class HallFolder:
    """A hall of devices {id: profile}, enrolled, and a MicroPython for each of their chips."""

    def __init__(self, folder: Path, devices: dict[str, str], app_bytes: int = 60_000) -> None:
        self.toml = folder / "hall.toml"
        self.boards = folder / "boards.json"
        self.keys = KeyStore(folder / "keys")
        text = _HALL
        for number, (device, profile) in enumerate(devices.items(), 1):
            text += _WINDOW.format(number) + _DEVICE.format(device, profile, number)
            self.keys.enrol(device, load(profile))
        self.toml.write_text(text)
        wifi = folder / "wifi.toml"
        wifi.touch(0o600)
        wifi.write_text('[[network]]\nssid = "hall"\npassword = "not-a-secret"\n')
        chips = sorted({load(profile).board.chip for profile in devices.values()})
        self.bases = [write_base(folder, chip, app_bytes=app_bytes) for chip in chips]

    def secrets(self) -> list[str]:
        """What must never be printed."""
        keys = self.keys.devices()
        return ["not-a-secret", *(k.psk for k in keys if k.psk), *(k.claim for k in keys)]

    def command(self, *arguments: str) -> list[str]:
        """`hall flash`, for this hall."""
        bases = [part for base in self.bases for part in ("--base", str(base))]
        command = [str(Path(sys.executable).with_name("hall")), "flash", *arguments]
        return command if "--image" in arguments else [*command, "--config", str(self.toml), *bases]

    def flash(self, *arguments: str, code: int = os.EX_OK) -> subprocess.CompletedProcess[str]:
        """Runs `hall flash`; checks its exit code, and that it tells no secret."""
        command = self.command(*arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        for secret in self.secrets():
            assert secret not in done.stdout + done.stderr
        return done

    def flash_json(self, *arguments: str, code: int = os.EX_OK) -> Any:
        """What `hall flash --json` prints."""
        return json.loads(self.flash(*arguments, "--json", code=code).stdout)


class Bench:
    """Boards that are plugged in; by number, so that one can come back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._plugged: list[MockBoard] = []

    def plug(self, number: int = 1, transport: str = "pty", **how: Any) -> MockBoard:
        """Plugs a board in, and waits for its port."""
        return self.start(number, transport, **how).ready()

    def start(self, number: int, transport: str = "pty", **how: Any) -> MockBoard:
        """Plugs a board in, which takes a moment until it is ready()."""
        board = MockBoard(
            self._folder / f"board-{number}.bin", number=number, transport=transport, **how
        )
        self._plugged.append(board.start())
        return board

    def unplug(self) -> None:
        """Unplugs all."""
        while self._plugged:
            self._plugged.pop().stop()


def bench(folder: Path) -> Iterator[Bench]:
    """The body of a fixture: a bench, cleared at the end."""
    made = Bench(folder)
    try:
        yield made
    finally:
        made.unplug()
