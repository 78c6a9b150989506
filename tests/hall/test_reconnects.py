"""A whole device, from boot.py to its role, through a thousand lost connections."""

import asyncio
from pathlib import Path

import pytest
from hall_tools.image import assembly
from support.cutting_proxy import CuttingProxy
from support.mosquitto import Mosquitto
from support.sim import config_of, running
from support.standin_gateway import StandinGateway

RECONNECTS = 1000

# At the end of boot.py, so that a thousand waits between connections do not take ten minutes.
IMPATIENT = b"""
import sys
sys.path.insert(0, "/a")
from hall.link import Timings
Timings.reconnect = 0
Timings.reconnect_last = 1
"""


async def test_a_device_with_its_role_does_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each connection is cut when its report arrived; the 192 KB heap stays as free as it was."""
    files_of = assembly.file_system
    monkeypatch.setattr(
        assembly,
        "file_system",
        lambda *given: files_of(*given) | {"boot.py": files_of(*given)["boot.py"] + IMPATIENT},
    )
    free: list[int] = []
    with Mosquitto(tmp_path / "broker") as broker, StandinGateway(broker.port) as gateway:
        async with (
            CuttingProxy(broker.port) as proxy,
            running(config_of("keypad-5", proxy.port), tmp_path / "device") as device,
        ):
            await device.until_log("confirmed")
            while len(free) < RECONNECTS:
                gateway.states.pop("dev-1", None)
                proxy.cut()
                await asyncio.to_thread(gateway.wait, lambda: "dev-1" in gateway.states)
                free.append(gateway.states["dev-1"]["health"]["heap"])
            health = gateway.states["dev-1"]["health"]
    tenths = [max(free[start : start + 100]) for start in range(0, RECONNECTS, 100)]
    with capsys.disabled():
        print(
            f"\n{health['connects']} connects of a keypad; bytes free, best of each 100: {tenths}"
        )
    assert health["connects"] > RECONNECTS
    assert health["boot"] == 1
    # The smallest leak, one 32-byte block at each reconnect, would be 16 KB between the halves.
    assert max(tenths[:5]) - max(tenths[5:]) < 4096
