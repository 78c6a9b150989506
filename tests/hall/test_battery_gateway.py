"""A battery device in the unix port and a real gateway process, killed and without power.

Not here: what an attacker or a crash does at the gateway's end alone (tests/contract/test_coap*).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.keys import FOLDER, KeyStore
from hall_profiles import compile_config, load
from hall_tools.ports import free_port
from hall_tools.sim import SimDevice
from support.gateway import Gateway
from support.other_words import other_words
from support.sim import Watched, watched

PROFILE = "wet-floor-battery"


class Place:
    """A gateway with the battery device `fl-1`, and that device."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        keys = KeyStore(folder / FOLDER).enrol("fl-1", load(PROFILE))
        assert keys.oscore is not None
        tables = (
            f'[coap]\nhost = "127.0.0.1"\nport = {port}\n'
            f'[[device]]\nid = "fl-1"\nprofile = "{PROFILE}"\nzone = "door"\n'
        )
        self.gateway = Gateway(folder, free_port(), tables=tables, embedded=True)
        config: dict[str, Any] = compile_config(
            load(PROFILE),
            device="fl-1",
            hall="demo",
            broker_host="127.0.0.1",
            broker_port=port,
        )
        ident: dict[str, Any] = {"device": "fl-1", "psk": None, "wifi": [["s", "s"]]}
        ident["oscore"] = dict(keys.oscore.of_device())
        self.device = SimDevice(config, ident, folder / "fl")

    def kinds(self) -> list[str]:
        """What the store has of the device, in the order of seq; each once."""
        rows = self.gateway.rows("SELECT seq, kind FROM events ORDER BY seq")
        assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1)), "without a hole"
        return [kind for _, kind in rows]

    async def until(self, kinds: list[str]) -> None:
        async with asyncio.timeout(60):
            while await asyncio.to_thread(self.kinds) != kinds:  # noqa: ASYNC110 - the store has no event
                await asyncio.sleep(0.1)


async def sleeps(device: Watched, after: int = 0) -> None:
    line = await device.until(lambda line: "sleep" in line, after=after)
    await device.until(lambda line: "asleep" in line, after=device.said.index(line))


async def test_killed_gateways_and_cut_power_lose_and_double_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    other_words(monkeypatch, tmp_path, "napper", {"AWAKE_MS = 10_000": "AWAKE_MS = 1500"})
    place = Place(tmp_path)
    gateway = place.gateway
    await asyncio.to_thread(gateway.start)
    async with watched(place.device) as device:
        await place.until(["boot"])
        await sleeps(device)

        # Water, while the gateway is dead: told as soon as it is back, which asks who is there.
        await asyncio.to_thread(gateway.kill)
        before = len(device.said)
        await device.device.send({"wet_ohms": 20_000})
        await sleeps(device, before)
        await device.until_log("again in", after=before)
        await asyncio.to_thread(gateway.start)
        before = len(device.said)
        await device.device.send({"wake": "timer"})
        await place.until(["boot", "wet"])
        await sleeps(device, before)

        # The floor dries, and the gateway is killed as the device wakes to say so.
        await device.device.send({"wet_ohms": 10_000_000})
        for _ in range(10):
            before = len(device.said)
            await device.device.send({"wake": "timer"})
            await sleeps(device, before)
        await asyncio.to_thread(gateway.kill)
        dried = len(device.said)
        # One look more, or some: one that reads as the one before it counts for nothing.
        while not any("again in" in line.get("log", "") for line in device.said[dried:]):
            before = len(device.said)
            assert before - dried < 500, "it has nothing to say"
            await device.device.send({"wake": "timer"})
            await sleeps(device, before)

        # Then the device loses its power too, with what it could not say.
        await device.device.power_cut()
        await asyncio.to_thread(gateway.start)
        await device.device.power_on()
        await place.until(["boot", "wet", "dry", "boot"])
        (depths,) = gateway.rows(
            "SELECT count(*), count(DISTINCT seq), count(DISTINCT epoch) FROM events"
        )
        assert depths == (4, 4, 1)
        told = gateway.rows("SELECT noun || '.' || verb FROM outbox WHERE noun = 'floor'")
        assert [name for (name,) in told] == ["floor.wet", "floor.dry"]
    assert await asyncio.to_thread(gateway.stop) == 0
