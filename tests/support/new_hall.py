"""A hall from nothing: what setup makes, running, and boards that come from `hall` commands alone.

Here: a gateway with its brokers and the hall system, commands as they are typed, a mock board that
is flashed, read back, and started in the unix port. Not here: the parts (installed.py,
mock_boards.py, sim.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.files import write_secret
from hall_tools.flash.board import Board
from hall_tools.flash.ports import Port
from hall_tools.image.layout import partition

from support.gateway import Gateway
from support.installed import Installation
from support.micropython_base import write_base
from support.mock_board import MockBoard
from support.mosquitto import Mosquitto
from support.paho_client import Received
from support.plain_hall import PlainHall
from support.psk_client import PskClient

WIFI = '[[network]]\nssid = "hall"\npassword = "not-a-secret"\n'
OURS = partition("ident").offset
"""Where our partitions begin. Before them lies MicroPython; the unix port brings its own."""


class NewHall:
    """A gateway that runs, with its windows and no device; inside new_hall()."""

    def __init__(
        self, folder: Path, installation: Installation, gateway: Gateway, system: PlainHall
    ) -> None:
        self.folder = folder
        self.installation = installation
        self.rows = gateway.rows
        self.system = system
        self._base = write_base(folder)
        write_secret(self.installation.config.parent / "wifi.toml", WIFI.encode())

    def command(self, *arguments: str) -> Any:
        """What a `hall` command prints as JSON; it has to succeed."""
        program = str(Path(sys.executable).with_name("hall"))
        done = subprocess.run(
            [program, *arguments, "--config", str(self.installation.config), "--json"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == os.EX_OK, done.stderr
        return json.loads(done.stdout)

    def enroll(self, device: str, profile: str, *place: str) -> None:
        told = self.command("enroll", device, "--profile", profile, *place)
        assert told["broker"] == "reloaded"

    def build(self, device: str) -> bytes:
        """The image of a device."""
        file = self.folder / f"{device}.bin"
        base = ("--base", str(self._base))
        self.command("image", "build", "--device", device, *base, "--out", str(file))
        return file.read_bytes()

    def flash(self, device: str, board: MockBoard) -> dict[str, Any]:
        """One board becomes `device`; what the command says of it."""
        base = ("--base", str(self._base))
        return self.command("flash", device, "--port", board.port, *base)

    def board(self, device: str) -> Path:
        """The folder of a board that was bare, and was flashed."""
        folder = self.folder / device
        folder.mkdir()
        with MockBoard(folder / "flash.bin", transport="pty") as board:
            self.flash(device, board)
        return folder

    def board_read_back(self, device: str) -> Path:
        """As board(); its flash is what was read back from it, which is checked."""
        folder = self.folder / device
        folder.mkdir()
        image = self.build(device)
        with MockBoard(self.folder / f"{device}.mock", transport="pty") as board:
            self.flash(device, board)
            assert board.content == image
            chip = read_back(board, image)
        assert chip == image
        (folder / "flash.bin").write_bytes(chip)
        return folder

    def state(self, device: str, rev: int) -> dict[str, Any]:
        """What the device said last of itself, once it has desired state `rev` or a newer one."""
        topic = f"hall/v1/demo/state/{device}"

        def told(message: Received) -> bool:
            state = json.loads(message.payload).get("state") if message.topic == topic else None
            return bool(state) and state["rev"] is not None and state["rev"] >= rev

        return json.loads(self.system.client.wait(told)[-1].payload)["state"]

    def intruder(self, identity: str, psk: str, **told: Any) -> PskClient:
        """Somebody with a key, right or wrong."""
        port = self.installation.psk_port
        return PskClient(self.folder, port, identity=identity, psk=psk, **told)


@contextmanager
def new_hall(
    folder: Path, monkeypatch: pytest.MonkeyPatch, windows: Sequence[str], more: str = ""
) -> Generator[NewHall]:
    """Everything that stands in a hall before the first device; `more` is TOML of devices."""
    with Mosquitto(folder / "upstream") as upstream:
        tables = "".join(f'[[window]]\nid = "{window}"\n' for window in windows) + more
        installation = Installation(
            folder / "root", monkeypatch, upstream.port, tables=tables, devices={}
        )
        pid_file = installation.machine.path("/run/mosquitto/mosquitto.pid")
        text = installation.config.read_text()
        text = text.replace("[broker]\n", f'[broker]\npid_file = "{pid_file}"\n')
        installation.config.write_text(text)
        gateway = installation.gateway(folder / "gateway")
        with installation.broker, gateway, PlainHall(upstream.port) as system:
            yield NewHall(folder, installation, gateway, system)


def read_back(board: MockBoard, image: bytes) -> bytes:
    """Its flash as esptool reads it, as far as MicroPython and our partitions go in `image`.

    The rest is as erased flash is: that is most of it, and a mock board is slow to read.
    """
    chip = bytearray(b"\xff" * len(image))
    with Board(Port(board.port), attempts=1) as opened:
        for start, stop in ((0, OURS), (OURS, len(image))):
            size = len(image[start:stop].rstrip(b"\xff"))
            chip[start : start + size] = opened.read(start, size)
    return bytes(chip)
