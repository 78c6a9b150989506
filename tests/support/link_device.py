"""Runs tests/contract/mp_device.py: the real link and journal in a MicroPython of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from support import micropython

SCRIPT = Path(__file__).parent.parent / "contract" / "mp_device.py"

# Short enough for a test, long enough for a busy machine to keep.
TIMINGS = {
    "connect": 600,
    "drain": 600,
    "suback": 600,
    "puback": 600,
    "ping": 600,
    "packet": 600,
    "keepalive": 1000,
    "check": 50,
    "resend": 200,
    "resend_last": 400,
    "answer": 400,
    "state_check": 50,
    "state": 1000,
    "reconnect": 50,
    "reconnect_last": 200,
    "stable": 30000,
}


class LinkDevice:
    """One device process; `async with LinkDevice(port, tmp_path) as device:`."""

    def __init__(
        self,
        port: int,
        folder: Path,
        *,
        device: str = "kp-1",
        psk: str | None = None,
        kib: int = 64,
        jitter: bool = True,
        timings: Mapping[str, int] | None = None,
    ) -> None:
        self.config: dict[str, Any] = {
            "device": device,
            "host": "127.0.0.1",
            "port": port,
            "psk": psk,
            "flash": str(folder / "journal.bin"),
            "kib": kib,
            "jitter": jitter,
            "timings": TIMINGS | dict(timings or {}),
        }
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        config = self._folder / "device.json"  # MicroPython takes no argument over 255 bytes
        config.write_text(json.dumps(self.config))
        argv, environment = micropython.command(SCRIPT, str(config))
        self._process = await asyncio.create_subprocess_exec(
            *argv,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def ask(self, **request: Any) -> dict[str, Any]:
        """One request, its answer."""
        process = self._process
        assert process is not None, "the device is off"
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        if not line.startswith(b"{"):
            rest = await asyncio.wait_for(process.stdout.read(), 60)
            raise AssertionError("the device ended: " + (line + rest).decode(errors="replace"))
        return json.loads(line)

    async def append(self, count: int) -> int:
        """Journal events; the seq of the last."""
        return (await self.ask(append=count))["appended"]

    async def report(self) -> dict[str, Any]:
        return await self.ask(report=True)

    async def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first report for which the condition holds, within 10 s."""
        async with asyncio.timeout(60):
            # Another process's state: there is nothing here that could wake this loop.
            while not condition(report := await self.report()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return report

    async def kill(self) -> None:
        """SIGKILL: as if the power went."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def __aenter__(self) -> LinkDevice:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.kill()
