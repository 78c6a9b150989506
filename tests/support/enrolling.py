"""A folder with a hall.toml, to enroll into."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from hall_gateway.keys import KeyStore
from hall_tools import cli
from hall_tools.errors import UserError
from hall_tools.ports import free_port
from typer.testing import CliRunner

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = (REPOSITORY / "docs" / "gateway.example.toml").read_text("utf-8")
LONG_HEX = re.compile(r"[0-9a-f]{16,}", re.IGNORECASE)


class Hall:
    """A folder with the example's hall.toml, at a port where no broker is."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.config = folder / "hall.toml"
        text = EXAMPLE.replace("port = 1883", f"port = {port or free_port()}", 1)
        self.config.write_text(
            text.replace("[broker]", f'[broker]\npid_file = "{folder}/mosquitto.pid"'),
            encoding="utf-8",
        )
        self.before = self.config.read_text("utf-8")
        self.keys = KeyStore(folder / "keys")

    def run(self, *arguments: str) -> str:
        """The output of a command that succeeds."""
        result = CliRunner().invoke(cli.app, [*arguments, "--config", str(self.config)])
        assert result.exit_code == 0, result.exception
        assert not LONG_HEX.search(result.output.replace(str(self.folder), ""))
        return result.output

    def told(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def refused(self, *arguments: str, code: int = os.EX_DATAERR) -> str:
        """The error of a command that must leave everything as it was."""
        before = self.everything()
        result = CliRunner().invoke(cli.app, [*arguments, "--config", str(self.config)])
        assert isinstance(result.exception, UserError), (result.output, result.exception)
        assert result.exception.exit_code == code
        assert self.everything() == before
        return str(result.exception)

    def everything(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def added(self) -> list[str]:
        """The lines of hall.toml that were not there before; none may be gone."""
        lines = self.config.read_text("utf-8").splitlines()
        for line in self.before.splitlines():
            lines.remove(line)
        return lines

    def psk(self) -> list[str]:
        """Who has a key in mosquitto's file."""
        text = (self.folder / "mosquitto" / "psk").read_text()
        return [line.split(":")[0] for line in text.splitlines()]
