"""Power that goes within the flash chip's work: what a simulated device does, and what is left."""

import os
import random
from pathlib import Path

import pytest
from hall_firmware.hall.journal import Journal
from hall_tools.chaos import flash_records
from hall_tools.image.layout import SECTOR, partition
from hall_tools.ports import free_port
from hall_tools.sim import SimDevice
from support.nor_flash import NorFlash
from support.sim import config_of, watched


def pressed(folder: Path) -> list[object]:
    records = flash_records.read(folder / "flash.bin")
    return [record.data["key"] for record in records if record.kind == "press"]


async def test_power_goes_before_within_and_after_an_operation(tmp_path: Path) -> None:
    ident = {"device": "dev-1", "psk": None, "wifi": [["simulated", "simulated"]]}
    sim = SimDevice(config_of("keypad-5", free_port()), ident, tmp_path)
    sim.cut = "0"
    async with watched(sim) as device:
        await device.until_log("wifi: joined")
        left: list[object] = []
        for key, how in enumerate(("before", "torn", "after"), start=1):
            told = len(device.said)
            await sim.send({"cut": 1, "how": how})
            await sim.send({"press": key, "ms": 500})
            await device.until(lambda line: "off" in line, after=told)
            cut = next(line for line in device.said[told:] if "cut" in line)
            assert (cut["cut"], cut["op"]) == (how, "program")
            assert not (tmp_path / "rtc.bin").exists()
            left.append(pressed(tmp_path))
            told = len(device.said)
            await sim.power_on()
            await device.until_log("wifi: joined", after=told)
        # A record is there when all of it is.
        assert left == [[], [], [3]]
        assert pressed(tmp_path) == [3]
        # And while it starts, before any line of the world comes.
        await sim.power_cut()
        sim.cut = "2 torn"
        told = len(device.said)
        await sim.power_on()
        await device.until(lambda line: "off" in line, after=told)
        assert not any("wifi: joined" in line.get("log", "") for line in device.said[told:])
        sim.cut = "0"
        told = len(device.said)
        await sim.power_on()
        await device.until_log("wifi: joined", after=told)
        await sim.send({"cut": -1})
        await device.until(lambda line: "neither 0 nor a number" in line.get("error", ""))
        assert pressed(tmp_path) == [3]


@pytest.mark.parametrize("count", [0, 1, 70, 1200])
def test_a_journal_is_read_from_its_flash_by_others_too(tmp_path: Path, count: int) -> None:
    flash = NorFlash(16, SECTOR, random.Random(5))
    Journal.format(flash, 77)
    journal = Journal(flash, lambda: 5)
    for number in range(1, count + 1):
        journal.append("press", {"key": number})
        if number % 40 == 0:
            journal.ack(77, number)
    # A record that was begun and not finished is none.
    slot = flash.image.find(b"\xff" * 64, SECTOR)
    flash.image[slot : slot + 30] = b"E" * 30
    chip = tmp_path / "flash.bin"
    entry = partition("jrnl")
    chip.write_bytes(bytes(entry.offset) + bytes(flash.image))
    found = {record.seq: record for record in flash_records.read(chip)}
    held = {event["seq"]: event["data"] for event in journal.peek(0, 10_000)}
    assert held.keys() <= found.keys()
    for seq, record in found.items():
        assert (record.epoch, record.boot, record.kind) == (77, 1, "press")
        assert record.data == {"key": seq}
    assert len(found) >= min(count, 14 * 63)


def test_a_chip_without_a_journal_has_no_events(tmp_path: Path) -> None:
    entry = partition("jrnl")
    chip = tmp_path / "flash.bin"
    chip.write_bytes(os.urandom(entry.offset + entry.size))
    assert flash_records.read(chip) == []
