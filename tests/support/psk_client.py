"""Whoever has a device's key, but not its firmware: tests/contract/mp_psk_client.py as a process.

What it may do and hear is for the test to say. It shares no code with the firmware.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from support import micropython

SCRIPT = Path(__file__).parent.parent / "contract" / "mp_psk_client.py"


class PskClient:
    """A client with a device's key, but not its firmware: mp_psk_client.py."""

    def __init__(self, tmp_path: Path, port: int, **told: Any) -> None:
        file = tmp_path / f"{told['identity']}.json"
        defaults: dict[str, Any] = {"port": port, "client_id": "x", "subscribe": [], "publish": []}
        file.write_text(json.dumps(defaults | told))
        argv, environment = micropython.command(SCRIPT, str(file))
        self._process = subprocess.Popen(
            argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def until(self, wanted: str) -> list[str]:
        """The lines that it prints, up to the first that begins like this."""
        assert self._process.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith(wanted):
            line = self._process.stdout.readline()
            assert line, f"it ended: {lines}"
            lines.append(line.strip())
        return lines

    def __enter__(self) -> PskClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate("end\n", timeout=60)
