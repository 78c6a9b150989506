"""Releases that a gateway rolls out to a real firmware: the good one stays, bad ones go back."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.bundle import Bundle
from hall_tools import deploy, mpy
from hall_tools.image import vfs
from hall_tools.sim import FLASH, SimDevice
from hall_tools.update import keys
from hall_tools.update.build import build
from hall_tools.update.sign import sign
from support.gateway import Gateway
from support.mosquitto import Mosquitto
from support.paho_client import PlainClient
from support.sim import Watched, config_of, watched

WAIT_S = 60.0
HALL = """
[updates]
keys = ["release.pub"]
from = 0
to = 0
[[window]]
id = "1"
[[device]]
id = "kp-1"
profile = "keypad-3"
window = "1"
"""
_NOT_OF_A_KEYPAD = (
    *("glyphs", "canvas", "segments", "hub", "max7219", "vl53l1x", "ld2450", "radar", "tof"),
    *("people", "beam", "wet", "floor", "probe", "call_display", "scan", "panel", "description"),
    *("oscore", "coap", "napper", "battery", "post", "piv", "cbor", "sleep"),
)
HEALTHY = ("_HEALTHY_MS = const(60_000)", "_HEALTHY_MS = const(1_000)")
# What a new application may do, by what the hall is told of it.
BAD = {
    "crash": [("import gc\n", "import gc, no_such_module\n")],
    "hang": [
        ("_WATCHDOG_MS = const(10_000)", "_WATCHDOG_MS = const(1_000)"),
        (
            "    def compose(self):",
            "    def compose(self):\n        while True:\n            pass\n",
        ),
    ],
    "no_service": [('(broker["host"], broker["port"])', '(broker["host"], 1)')],
}


def slot(folder: Path, version: str, *changes: tuple[str, str]) -> dict[str, bytes]:
    """A keypad's slot whose app.py has these changes."""
    files = {
        name: content
        for name, content in mpy.slot("esp32").items()
        if not any(part in name for part in _NOT_OF_A_KEYPAD)
    }
    text = (mpy.firmware_root() / "hall" / "app.py").read_text(encoding="utf-8")
    for old, new in (('VERSION = "0.1.0"', f'VERSION = "{version}"'), *changes):
        assert old in text, old
        text = text.replace(old, new, 1)
    source = folder / f"app-{version}.py"
    source.write_text(text, encoding="utf-8")
    files["hall/app.mpy"] = mpy.compile_module(source, "hall/app.py")
    return files


class Stage:
    """A hall with one keypad; `watcher` hears what the hall system hears."""

    def __init__(self, folder: Path, gateway: Gateway, watcher: PlainClient, port: int) -> None:
        self.folder = folder
        self.port = port
        self.gateway = gateway
        self.public = keys.generate(folder / "gateway" / "release", None)
        self.private = keys.read_private(folder / "gateway" / "release.key", None)
        self._watcher = watcher

    def release(self, counter: int, version: str, *changes: tuple[str, str]) -> Bundle:
        files = {"xtensa": slot(self.folder, version, *changes)}
        return sign(build(counter, version, slots=files), self.private)

    async def roll_out(self, release: Bundle) -> None:
        file = self.folder / f"{release.version}.release"
        file.write_bytes(release.content())
        await asyncio.to_thread(self._hall, "update", "roll-out", str(file))

    def _hall(self, *arguments: str) -> None:
        done = subprocess.run(
            [Path(sys.executable).with_name("hall"), *arguments, "--config", self.gateway.config],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    async def told(self, verb: str, version: str) -> dict[str, Any]:
        """The data of the event hall.update.`verb` of that version."""

        def found() -> dict[str, Any] | None:
            for message in list(self._watcher.received):
                if message.topic.endswith(f"/event/update/{verb}"):
                    data = json.loads(message.payload)["data"]
                    if data["version"] == version:
                        return data
            return None

        heard = await asyncio.to_thread(
            self._watcher.until, lambda: found() is not None, seconds=WAIT_S
        )
        data = found()
        assert heard, [m.topic for m in self._watcher.received]
        assert data is not None
        return data


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with (
        Mosquitto(tmp_path / "broker") as broker,
        PlainClient(broker.port, ["hall/#"], name="hall system") as watcher,
    ):
        gateway = Gateway(tmp_path / "gateway", broker.port, tables=HALL)
        stage = Stage(tmp_path, gateway, watcher, broker.port)
        with gateway:
            yield stage


@asynccontextmanager
async def keypad(
    stage: Stage, release: Bundle, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Watched]:
    """The device with `release` in slot a; a trial has as long as a test has for it."""

    def soon(*arguments: Any, **more: Any) -> dict[str, bytes]:
        files = flashed(*arguments, **more)
        text = (mpy.firmware_root() / "choose.py").read_text(encoding="utf-8")
        assert "1_800_000" in text
        source = stage.folder / "choose.py"
        source.write_text(text.replace("1_800_000", "10_000"), encoding="utf-8")
        files["choose.mpy"] = mpy.compile_module(source, "choose.py")
        return files

    flashed = vfs.file_system
    monkeypatch.setattr("hall_tools.image.assembly.file_system", soon)
    folder = stage.folder / "kp-1"
    config = config_of("keypad-3", stage.port, "kp-1")
    ident = {"device": "kp-1", "psk": None, "wifi": [["simulated", "simulated"]]}
    deploy.deploy(folder / FLASH, config, ident, release=release, keys=[stage.public])
    async with watched(SimDevice.flashed(folder)) as device:
        await device.until_log("confirmed: this start", seconds=WAIT_S)
        yield device


@pytest.mark.timeout(400)
async def test_bad_releases_go_back_and_a_good_one_stays(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    old = stage.release(1, "0.1.0", HEALTHY)
    async with keypad(stage, old, monkeypatch) as device:
        for at, (why, changes) in enumerate(BAD.items()):
            version = f"0.2.{at}"
            await stage.roll_out(stage.release(2, version, *changes))
            assert await stage.told("staged", version) == {"version": version}
            reverted = await stage.told("reverted", version)
            assert reverted == {"version": version, "reason": why}
        before = len(device.said)
        await stage.roll_out(stage.release(3, "0.3.0", HEALTHY))
        assert await stage.told("confirmed", "0.3.0") == {"version": "0.3.0"}
        await device.until_log("start: version 0.3.0", after=before)
