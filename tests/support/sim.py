"""Simulated devices in tests: a device that remembers what it said, so that a test can wait for it.

Only what tests add to `hall_tools.sim.SimDevice` belongs here.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from hall_profiles import compile_config, load
from hall_tools.sim import SimDevice

WAIT_S = 60.0
Line = dict[str, Any]


@contextmanager
def memory_folder() -> Generator[Path]:
    """A folder for a device whose times are measured: in memory, as a disk that others write to
    holds it up, which no flash chip does."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def config_of(profile: str, port: int, device: str = "dev-1", **more: Any) -> dict[str, Any]:
    """The config of a device at the broker on 127.0.0.1:`port`; `more` as of compile_config."""
    return compile_config(
        load(profile),
        device=device,
        hall="demo",
        broker_host="127.0.0.1",
        broker_port=port,
        **more,
    )


class Watched:
    """A device and every line it has said so far, in order."""

    def __init__(self, device: SimDevice) -> None:
        self.device = device
        self.said: list[Line] = []
        self._more = asyncio.Condition()

    async def listen(self) -> None:
        async for line in self.device.lines():
            async with self._more:
                self.said.append(line)
                self._more.notify_all()

    async def until(
        self, found: Callable[[Line], bool], *, after: int = 0, seconds: float = WAIT_S
    ) -> Line:
        """The first line from index `after` on for which `found` holds, once there is one."""

        def matching() -> Line | None:
            return next((line for line in self.said[after:] if found(line)), None)

        try:
            async with asyncio.timeout(seconds), self._more:
                await self._more.wait_for(lambda: matching() is not None)
        except TimeoutError:
            raise AssertionError(f"not said in {seconds} s: {self.said[-20:]}") from None
        line = matching()
        assert line is not None
        return line

    async def until_log(self, part: str, *, after: int = 0, seconds: float = WAIT_S) -> str:
        """The first log line that contains `part`."""
        line = await self.until(
            lambda said: part in said.get("log", ""), after=after, seconds=seconds
        )
        return line["log"]


@asynccontextmanager
async def watched(device: SimDevice) -> AsyncGenerator[Watched]:
    """`device` started, listened to, and stopped at the end."""
    seen = Watched(device)
    listener = asyncio.create_task(seen.listen())
    try:
        await device.start()
        yield seen
    finally:
        await device.stop()
        await listener


@asynccontextmanager
async def running(
    config: dict[str, Any], folder: Path, *, psk: str | None = None
) -> AsyncGenerator[Watched]:
    """A device of this config that is started, listened to, and stopped at the end."""
    ident = {"device": config["device"], "psk": psk, "wifi": [["simulated", "simulated"]]}
    async with watched(SimDevice(config, ident, folder)) as device:
        yield device
