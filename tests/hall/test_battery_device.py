"""A battery device in the unix port, asleep and awake, against a real aiocoap server with OSCORE.

The clock of its sleep is moved on by the world's {"wake": "timer"}: no test waits for it. After a
power-on it stays awake, for a technician, though not the 10 s of a real one: what has to be said
is said before.
"""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiocoap
import pytest
from aiocoap.numbers import codes
from hall_profiles import compile_config, load
from hall_tools.image.layout import partition
from hall_tools.sim import SimDevice
from support.coap_hall import OSCORE, CoapHall
from support.other_words import other_words
from support.sim import Watched, watched

AWAKE_MS, CABLE_MS = 1500, 4000


@pytest.fixture(autouse=True)
def soon_asleep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    awake = {"AWAKE_MS = 10_000": f"AWAKE_MS = {AWAKE_MS}"}
    cable = {"CABLE_MS = 30_000": f"CABLE_MS = {CABLE_MS}"}
    other_words(monkeypatch, tmp_path, "napper", awake | cable)


def device_of(folder: Path, port: int, **settings: int) -> SimDevice:
    config: dict[str, Any] = compile_config(
        load("wet-floor-battery"),
        device="fl-1",
        hall="demo",
        broker_host="127.0.0.1",
        broker_port=port,
        settings=settings,
    )
    ident = {"device": "fl-1", "psk": None, "wifi": [["s", "s"]], "oscore": OSCORE}
    return SimDevice(config, ident, folder)


@asynccontextmanager
async def hall_of(folder: Path) -> AsyncGenerator[CoapHall]:
    hall = CoapHall(folder)
    await hall.start()
    try:
        yield hall
    finally:
        await hall.stop()


@asynccontextmanager
async def asleep_in(folder: Path, **settings: int) -> AsyncGenerator[tuple[CoapHall, Watched]]:
    """A hall and its device, whose `boot` is taken and which has fallen asleep."""
    async with (
        hall_of(folder) as hall,
        watched(device_of(folder / "fl", hall.port, **settings)) as device,
    ):
        await hall.until(lambda: hall.kinds() == ["boot"])
        await sleeps(device)
        yield hall, device


async def sleeps(device: Watched, after: int = 0) -> dict[str, Any]:
    """Its next sleep: the line in which it says how long."""
    line = await device.until(lambda line: "sleep" in line, after=after)
    await device.until(lambda line: "asleep" in line, after=device.said.index(line))
    return line


async def wake(device: Watched) -> dict[str, Any]:
    """The time of its sleep is over; what it says as it sleeps again."""
    before = len(device.said)
    await device.device.send({"wake": "timer"})
    return await sleeps(device, before)


def wakes(device: Watched) -> list[str]:
    return [line["wake"] for line in device.said if "charge_uc" in line]


async def test_water_wakes_it_and_is_told_and_the_journal_is_empty(tmp_path: Path):
    async with asleep_in(tmp_path) as (hall, device):
        before = len(device.said)
        await device.device.send({"wet_ohms": 20_000})
        await hall.until(lambda: hall.kinds() == ["boot", "wet"])
        over_water = await sleeps(device, before)
        assert wakes(device) == ["pin"]
        wet = hall.requests[-1]["events"][-1]
        assert wet["data"]["ohms"] == pytest.approx(19_200, rel=0.05)
        assert wet["boot"] == 1, "a wake is no boot"
        assert wet["up"] > AWAKE_MS, "and time went on"
        assert wet["t"] is not None
        assert over_water["wake"] is None, "no voltage over the electrodes in water"
        assert over_water["sleep"] == 60_000
        assert len(hall.requests) == 2, "one request a wake"
        assert hall.requests[-1]["state"]["shows"]["wet"] is True
        # What is acknowledged does not come again, and a wake without news says nothing.
        await wake(device)
        assert len(hall.requests) == 2
        charge = [line["charge_uc"] for line in device.said if "charge_uc" in line]
        assert charge[1] == 0, "direct current through water"


async def test_a_floor_is_dry_after_ten_minutes_of_looks_and_water_may_wake_it_again(
    tmp_path: Path,
):
    async with asleep_in(tmp_path) as (hall, device):
        before = len(device.said)
        await device.device.send({"wet_ohms": 20_000})
        await sleeps(device, before)
        await device.device.send({"wet_ohms": 10_000_000})
        looks = 0
        while "dry" not in hall.kinds():
            asleep = await wake(device)
            looks += 1
            assert looks < 15
        # The first, and ten minutes of them; one that reads as the one before counts for nothing.
        assert 11 <= looks <= 13
        assert asleep["wake"] == [1, 0]
        assert asleep["sleep"] == 600_000
        assert hall.kinds() == ["boot", "wet", "dry"]


async def test_a_damp_floor_gets_no_voltage_while_it_sleeps(tmp_path: Path):
    async with asleep_in(tmp_path) as (hall, device):
        await device.device.send({"wet_ohms": 250_000})  # 163 kohm with the end resistor
        asleep = await wake(device)
        assert asleep["wake"] is None
        assert asleep["sleep"] == 60_000
        assert hall.kinds() == ["boot"]


async def test_a_heartbeat_carries_the_state_and_no_event(tmp_path: Path):
    async with asleep_in(tmp_path, heartbeat_s=1000) as (hall, device):
        while hall.kinds() != ["boot", "dry"]:  # one that reads as the one before says nothing
            await wake(device)
        told = len(hall.requests)
        slept: list[int] = []
        while len(hall.requests) == told:
            slept.append((await wake(device))["sleep"])
        assert slept[0] < 410_000, "until the heartbeat is due"
        assert len(slept) == 2
        beat = hall.requests[-1]
        assert beat["events"] == []
        assert beat["state"]["health"]["cause"] == "deep_sleep"
        assert beat["state"]["journal"]["acked"] == 2


async def test_commands_are_answered_in_the_same_wake(tmp_path: Path):
    async with asleep_in(tmp_path, heartbeat_s=60) as (hall, device):
        hall.commands = [{"id": "c1", "do": "selftest", "args": {}}]
        await wake(device)
        replies = [reply for request in hall.requests for reply in request.get("replies", [])]
        assert replies == [{"id": "c1", "ok": True, "result": {"probe": True, "journal": True}}]
        hall.commands = [{"id": "c2", "do": "reboot", "args": {}}]
        before = len(device.said)
        await device.device.send({"wake": "timer"})
        await device.until(lambda line: line.get("reset") == "soft", after=before)
        await hall.until(lambda: hall.kinds()[-1] == "boot" and len(hall.events) > 1)
        assert hall.requests[-2]["replies"][0]["id"] == "c2"


async def test_a_gateway_that_crashed_asks_for_echo_and_loses_nothing(tmp_path: Path):
    async with asleep_in(tmp_path) as (hall, device):
        await hall.crash()
        before = len(device.said)
        await device.device.send({"wet_ohms": 20_000})
        slept = await sleeps(device, before)
        assert slept["sleep"] <= 10_000, "an alarm is tried again soon"
        failed = await device.until_log("again in", after=before)
        assert "nobody listens" in failed or "no answer" in failed
        await hall.start()
        await wake(device)
        assert hall.kinds() == ["boot", "wet"]
        assert hall.different == 0


async def test_a_gateway_that_is_away_is_tried_less_and_less_often(tmp_path: Path):
    async with asleep_in(tmp_path, heartbeat_s=60) as (hall, device):
        await hall.crash()
        waits = []
        for _ in range(12):
            before = len(device.said)
            await wake(device)
            tried = [
                line["log"] for line in device.said[before:] if "again in" in line.get("log", "")
            ]
            waits += [int(line.rsplit(" ", 2)[1]) for line in tried]
        assert len(waits) >= 6
        assert waits[0] <= 60
        assert waits[5] >= 480, "a minute, doubled five times, and at least half of that"
        # What happens meanwhile waits in the journal; an alarm does not wait for the others' turn.
        before = len(device.said)
        await device.device.send({"wet_ohms": 20_000})
        await device.until(lambda line: "wake" in line and "charge_uc" in line, after=before)
        await sleeps(device, before)
        log = await device.until_log("again in", after=before)
        assert int(log.rsplit(" ", 2)[1]) <= 10
        await hall.start()
        while hall.kinds()[-1] != "wet":
            await wake(device)
        assert hall.different == 0


async def test_a_refusal_with_max_age_is_obeyed(tmp_path: Path):
    async with asleep_in(tmp_path) as (hall, device):
        hall.instead = lambda said: aiocoap.Message(code=codes.SERVICE_UNAVAILABLE, max_age=900)
        before = len(device.said)
        await device.device.send({"wet_ohms": 20_000})
        await sleeps(device, before)
        log = await device.until_log("5.03", after=before)
        assert log.endswith("again in 900 s")
        for _ in range(16):
            await wake(device)
        assert hall.kinds() == ["boot", "wet"]


@pytest.mark.parametrize("committed", [False, True])
async def test_power_lost_before_the_answer_loses_nothing(tmp_path: Path, committed: bool):
    async with asleep_in(tmp_path) as (hall, device):
        asked = asyncio.Event()
        cut = asyncio.Event()

        async def hold(said: Any) -> None:
            asked.set()
            await cut.wait()

        hall.before, hall.after = (None, hold) if committed else (hold, None)
        await device.device.send({"wet_ohms": 20_000})
        await asyncio.wait_for(asked.wait(), 60)
        await device.device.power_cut()
        hall.before = hall.after = None
        assert hall.kinds() == (["boot", "wet"] if committed else ["boot"])
        await device.device.power_on()
        await hall.until(lambda: hall.kinds() == ["boot", "wet", "boot"])
        cut.set()
        assert hall.different == 0
        assert len({epoch for epoch, _ in hall.events}) == 1


async def test_a_device_whose_count_is_lost_says_nothing_and_asks_to_be_enrolled(tmp_path: Path):
    async with asleep_in(tmp_path) as (hall, device):
        await device.device.power_cut()
        flash = tmp_path / "fl" / "flash.bin"
        place = partition("jrnl")
        content = bytearray(flash.read_bytes())
        content[place.offset : place.offset + place.size] = b"\xff" * place.size
        flash.write_bytes(content)
        asked = len(hall.requests)
        before = len(device.said)
        await device.device.power_on()
        log = await device.until_log("enrol again", after=before)
        assert "the count of sequence numbers is lost" in log
        await sleeps(device, before)
        assert len(hall.requests) == asked


async def test_numbers_on_the_air_never_repeat(tmp_path: Path):
    """Over sleeps, resets and power cuts: the partial IV of each datagram that was sent."""
    seen: list[bytes] = []
    async with asleep_in(tmp_path, heartbeat_s=60) as (_, device):
        original = aiocoap.Message.decode

        def decode(data: bytes, remote: Any = None) -> Any:
            message = original(data, remote)
            if message.opt.oscore and data[0] >> 4 & 3 == 0:
                seen.append(data)
            return message

        aiocoap.Message.decode = decode  # type: ignore[method-assign]
        try:
            for _ in range(3):
                await wake(device)
            await device.device.power_cut()
            before = len(device.said)
            await device.device.power_on()
            await sleeps(device, before)
            await wake(device)
        finally:
            aiocoap.Message.decode = original  # type: ignore[method-assign]
    options = [original(data).opt.oscore for data in seen]
    assert len(options) >= 5
    assert len(set(options)) == len(options)
    numbers = [int.from_bytes(option[1 : 1 + (option[0] & 7)], "big") for option in options]
    assert numbers == sorted(numbers)
    assert numbers[-1] >= 8, "behind the block that the cut has cost"


async def test_a_technician_keeps_it_awake_with_the_cable(tmp_path: Path):
    async with hall_of(tmp_path) as hall, watched(device_of(tmp_path / "fl", hall.port)) as device:
        await hall.until(lambda: hall.kinds() == ["boot"])
        body = b"1 id {}"
        port = os.open(device.device.port, os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(port, b"@%s*%08x\n" % (body, zlib.crc32(body)))
            await device.until_log("@1 id ")
            asked = await device.until_log('{"ok"')
        finally:
            os.close(port)
        slept = await device.until_log("sleep: ")
        assert int(slept[1 : slept.index("]")]) >= CABLE_MS, asked
