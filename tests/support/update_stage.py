"""A hall whose gateway rolls releases out to a simulated device, which runs a release itself.

Here: that hall, releases of the real firmware with changes, and what the hall system is told of
them. Not here: what becomes of a release (tests/hall/test_updates.py, test_update_latency.py).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
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

WAIT_S = 90.0
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


def slot(
    where: Path, version: str, *changes: tuple[str, str], folder: str = "hall"
) -> dict[str, bytes]:
    """A keypad's slot whose application has these changes, each in one of its modules. `where`
    takes their sources, `folder` is what a traceback says that they lie in."""
    files = {
        name: content
        for name, content in mpy.slot("esp32").items()
        if not any(part in name for part in _NOT_OF_A_KEYPAD)
    }
    texts = {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted((mpy.firmware_root() / "hall").glob("*.py"))
        if path.name in ("app.py", "compose.py", "update.py")
    }
    for old, new in (('VERSION = "0.1.0"', f'VERSION = "{version}"'), *changes):
        name = next((name for name in texts if old in texts[name]), None)
        assert name is not None, old
        texts[name] = texts[name].replace(old, new, 1)
    if folder != "hall":
        for name in files:
            path = Path(name).with_suffix(".py").relative_to("hall")
            files[name] = mpy.compile_module(
                mpy.firmware_root() / "hall" / path, f"{folder}/{path}"
            )
    for name, text in texts.items():
        source = where / f"{version}-{name}"
        source.write_text(text, encoding="utf-8")
        files[f"hall/{Path(name).stem}.mpy"] = mpy.compile_module(source, f"{folder}/{name}")
    return files


class Stage:
    """A hall with one keypad; `watcher` hears what the hall system hears."""

    def __init__(self, folder: Path, gateway: Gateway, watcher: PlainClient, port: int) -> None:
        self.folder = folder
        self.port = port
        self.public = keys.generate(folder / "gateway" / "release", None)
        self.private = keys.read_private(folder / "gateway" / "release.key", None)
        self.gateway = gateway
        self._watcher = watcher

    def release(
        self, counter: int, version: str, *changes: tuple[str, str], folder: str = "hall"
    ) -> Bundle:
        """With another `folder`, which tracebacks name, no file of it is in any other release."""
        files = {"xtensa": slot(self.folder, version, *changes, folder=folder)}
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

    def order(self, release: Bundle) -> None:
        """The command as the gateway would give it, if it did."""
        manifest = release.manifests["xtensa"].content
        args = {
            "release": hashlib.sha256(manifest).hexdigest(),
            "size": len(manifest),
            "until": time.time_ns() // 1_000_000 + 3_600_000,
        }
        command = {"id": "past-the-gateway", "do": "update", "args": args}
        self._watcher.publish("device/v1/kp-1/down/cmd", json.dumps(command))

    def keypad(
        self,
        monkeypatch: pytest.MonkeyPatch,
        trial_ms: int,
        *changes: tuple[str, str],
        folder: Path | None = None,
    ) -> SimDevice:
        """A keypad with release 0.1.0 in slot a, which has these changes and gives a trial up after
        so long. In `folder`, or in one of its own."""

        def soon(*arguments: Any, **more: Any) -> dict[str, bytes]:
            files = flashed(*arguments, **more)
            text = (mpy.firmware_root() / "choose.py").read_text(encoding="utf-8")
            assert "1_800_000" in text
            source = self.folder / "choose.py"
            source.write_text(text.replace("1_800_000", str(trial_ms)), encoding="utf-8")
            files["choose.mpy"] = mpy.compile_module(source, "choose.py")
            return files

        flashed = vfs.file_system
        folder = folder or self.folder / "kp-1"
        config = config_of("keypad-3", self.port, "kp-1")
        ident = {"device": "kp-1", "psk": None, "wifi": [["simulated", "simulated"]]}
        with monkeypatch.context() as patch:
            patch.setattr("hall_tools.image.assembly.file_system", soon)
            old = self.release(1, "0.1.0", HEALTHY, *changes)
            deploy.deploy(folder / FLASH, config, ident, release=old, keys=[self.public])
        return SimDevice.flashed(folder)


@contextmanager
def stage_in(folder: Path) -> Generator[Stage]:
    with (
        Mosquitto(folder / "broker") as broker,
        PlainClient(broker.port, ["hall/#"], name="hall system") as watcher,
    ):
        gateway = Gateway(folder / "gateway", broker.port, tables=HALL)
        stage = Stage(folder, gateway, watcher, broker.port)
        with gateway:
            yield stage


@asynccontextmanager
async def serving(keypad: SimDevice) -> AsyncGenerator[Watched]:
    async with watched(keypad) as device:
        await device.until_log("confirmed: this start", seconds=WAIT_S)
        yield device
