"""A device on a serial cable, and `hall diag` beside it.

Here: what the tests of its console share. Not here: the cable's noise (noisy_cable).
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hall_tools.diag.console import Console
from hall_tools.diag.port import Port
from hall_tools.image.layout import partition
from hall_tools.image.vfs import file_system, vfs_image
from hall_tools.ports import free_port
from hall_tools.sim import SimDevice

from support.sim import Watched, config_of

T = TypeVar("T")
HALL = str(Path(sys.executable).with_name("hall"))
MPREMOTE = str(Path(sys.executable).with_name("mpremote"))
CLAIM = bytes.fromhex("00112233445566778899aabbccddeeff")
PASSWORD = "ein-langes-Wort"

# 100 log lines a second, beside what the application logs itself.
CHATTER = """
import asyncio
async def chatter():
    n = 0
    while True:
        n += 1
        print("[%d] chatter: somebody@home says *%08x to all of them" % (n, n))
        await asyncio.sleep_ms(10)
asyncio.create_task(chatter())
"""


@asynccontextmanager
async def plugged(
    profile: str, folder: Path, claim: bytes | None = CLAIM, **config: Any
) -> AsyncGenerator[Watched]:
    """A running device with a claim."""
    settings = {**config_of(profile, free_port()), **config}
    ident = {"device": "dev-1", "psk": None, "wifi": [["hall", PASSWORD]]}
    device = SimDevice(settings, ident | ({"claim": claim.hex()} if claim else {}), folder)
    watched = Watched(device)
    listener = asyncio.create_task(watched.listen())
    try:
        await device.start()
        await watched.until_log("heap: ")
        yield watched
    finally:
        await device.stop()
        await listener


@contextmanager
def opened(port: str, claim: bytes | None = CLAIM):
    line = Port(port)
    try:
        yield Console(line, lambda _device: claim)
    finally:
        line.close()


async def asked(port: str, ask: Callable[[Console], T], claim: bytes | None = CLAIM) -> T:
    """What `ask` returns, in a thread of its own: the console waits."""

    def work() -> T:
        with opened(port, claim) as console:
            return ask(console)

    return await asyncio.to_thread(work)


async def hall(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(
        subprocess.run,
        [HALL, "diag", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def claim_file(folder: Path) -> list[str]:
    file = folder / "claim"
    file.touch(mode=0o600)
    file.write_text(f"HALLKIT:1:DEV-1:KEYPAD-5:1:{CLAIM.hex().upper()}\n")
    return ["--claim-file", str(file)]


async def mpremote(port: str, *command: str) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(
        subprocess.run,
        [MPREMOTE, "connect", port, "resume", *command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def reflashed(device: SimDevice, begin: str) -> None:
    """On a device that is off: `begin` is run before main.py."""
    files = file_system(device.config)
    files["main.py"] = begin.encode() + files["main.py"]
    with (device.folder / "flash.bin").open("r+b") as chip:
        chip.seek(partition("vfs").offset)
        chip.write(vfs_image(files))
