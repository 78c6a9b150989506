"""A device through power cuts, resets, hangs and bad deployments, in its simulated hardware."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hall_tools import deploy, mpy
from hall_tools.errors import UserError
from hall_tools.image.layout import partition
from hall_tools.image.vfs import file_system, vfs_image
from hall_tools.ports import free_port
from hall_tools.sim import SimDevice
from support.other_words import other_words
from support.sim import Watched, config_of, running


async def started(device: Watched, after: int = 0) -> str:
    return await device.until_log("start: version", after=after)


def overwrite(folder: Path, files: dict[str, bytes]) -> None:
    """Another file system on the flash, as if it had been deployed."""
    with (folder / "flash.bin").open("r+b") as chip:
        chip.seek(partition("vfs").offset)
        chip.write(vfs_image(files))


def journal(folder: Path) -> bytes:
    entry = partition("jrnl")
    return (folder / "flash.bin").read_bytes()[entry.offset : entry.offset + entry.size]


async def test_a_power_cut_takes_no_event(tmp_path: Path):
    async with running(config_of("keypad-5", free_port()), tmp_path) as device:
        await started(device)
        await device.device.send({"press": 3})
        await device.until(lambda line: line.get("pin") == "lamp_3")
        await device.until(lambda line: line.get("pin") == "lamp_3" and line["value"] == 0)
        await device.device.power_cut()
        kept = journal(tmp_path)
        assert b'press{"key":3,"session":null}' in kept
        with pytest.raises(ConnectionError, match="dev-1 is off"):
            await device.device.send({"press": 3})
        before = len(device.said)
        await device.device.send({"power": "on"})
        assert "cause power_on" in await started(device, before)
        await device.until_log("wifi: joined", after=before)
        assert kept.rstrip(b"\xff") in journal(tmp_path)
        assert journal(tmp_path).count(b"boot{") == 2


async def test_a_kill_is_not_a_power_cut(tmp_path: Path):
    async with running(config_of("keypad-5", free_port()), tmp_path) as device:
        await started(device)
        await device.until_log("wifi: joined")
        await device.device.kill()
        assert not device.device.is_on
        before = len(device.said)
        await device.device.power_on()
        assert "cause hard" in await started(device, before)


async def test_a_loop_that_hangs_is_bitten_by_the_watchdog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    other_words(
        monkeypatch, tmp_path, "app", {"WATCHDOG_MS = const(10_000)": "WATCHDOG_MS = const(4_000)"}
    )
    async with running(config_of("keypad-5", free_port()), tmp_path) as device:
        await device.until_log("wifi: joined")
        before = len(device.said)
        await device.device.send({"hang_ms": 60_000})
        bite = await device.until(lambda line: "reset" in line, after=before)
        assert bite["reset"] == "watchdog"
        assert "cause watchdog" in await started(device, before)


async def test_a_config_that_changes_leaves_the_journal(tmp_path: Path):
    port = free_port()
    async with running(config_of("keypad-5", port), tmp_path) as device:
        await device.until_log("journal: formatting")
        await device.until_log("wifi: joined")
    epoch = journal(tmp_path)[:16]
    async with running(
        config_of("keypad-5", port, settings={"debounce_ms": 30}), tmp_path
    ) as device:
        await device.until_log("wifi: joined")
        assert not any("formatting" in line.get("log", "") for line in device.said)
    assert journal(tmp_path)[:16] == epoch
    assert journal(tmp_path).count(b"boot{") == 2


async def test_nonsense_from_outside_is_answered_and_passed_over(tmp_path: Path):
    async with running(config_of("keypad-5", free_port()), tmp_path) as device:
        await started(device)
        for line, answer in (
            (b"{", "syntax error"),
            (b"[1]", "not an object"),
            (b'{"fly":1}', "for this device none of erase_ms, hang_ms, press, wifi"),
            (b'{"press":9}', "this device has no key_9"),
            (b'{"press":1,"ms":-4}', "ms is not 0 to 3600000"),
            (b'{"press":1,"ms":5}', "bounce_ms is more than ms"),
            (b'{"press":"1","ms":"x"}', "ms is not 0 to 3600000"),
            (b'{"cross":"in"}', "for this device none of "),
            (b'{"wet_ohms":5}', "for this device none of "),
            (b'{"press":1,"x":"' + b"x" * 1000 + b'"}', "at most 1000 bytes"),
            (b"\xff\xfe", "??: "),
        ):
            before = len(device.said)
            await device.device.send_raw(line + b"\n")
            said = await device.until(lambda said: "error" in said, after=before)
            assert answer in said["error"]
        await device.device.send({"press": 1})
        await device.until(lambda line: line.get("pressed") == 1)


async def test_wifi_that_goes_is_joined_again(tmp_path: Path):
    async with running(config_of("keypad-5", free_port()), tmp_path) as device:
        await device.until_log("wifi: joined")
        before = len(device.said)
        await device.device.send({"wifi": "off"})
        await device.until_log("wifi: lost", after=before)
        await device.device.send({"wifi": "on"})
        await device.until_log("wifi: joined", after=before)


async def test_a_driver_that_is_missing_is_said_and_the_device_stays_up(tmp_path: Path):
    """As if a config for newer firmware had been written: no crash, no loop of restarts."""
    config = config_of("keypad-5", free_port())
    deploy.deploy(tmp_path / "flash.bin", config, {"device": "dev-1", "psk": None, "wifi": []})
    async with running(config, tmp_path) as device:
        await device.until_log("wifi: joined")
        await device.device.power_cut()
        other = {**config, "role": "people_counter", "driver": {"name": "lidar"}, "pins": {}}
        overwrite(tmp_path, file_system(other))
        before = len(device.said)
        await device.device.power_on()
        await device.until_log("error: driver lidar is not in this firmware", after=before)
        await device.until_log("wifi: joined", after=before)
        assert device.device.is_on


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "stopped: /config.json: is not JSON"),
        (None, "stopped: ident is of dev-1, config of dev-2"),
    ],
)
async def test_a_device_that_cannot_work_says_why_and_waits(
    tmp_path: Path, content: bytes | None, why: str
):
    config = config_of("keypad-5", free_port())
    async with running(config, tmp_path) as device:
        await device.until_log("wifi: joined")
        await device.device.power_cut()
        files = file_system({**config, "device": "dev-2"})
        if content is not None:
            files["config.json"] = content
        overwrite(tmp_path, files)
        before = len(device.said)
        await device.device.power_on()
        await device.until_log(why, after=before)
        assert device.device.is_on


def with_slots(config: dict[str, Any], attempts: int) -> dict[str, bytes]:
    """Slot a falls over at once, slot b is good."""
    files = file_system(config)
    for name in [name for name in files if name.startswith("a/")]:
        files[f"b{name[1:]}"] = files.pop(name)
    files["a/hall/app.mpy"] = b"not bytecode"
    state = {"slot": "a", "spare": "b", "attempts": attempts}
    files["slot.json"] = json.dumps(state).encode()
    return files


@pytest.mark.parametrize(("attempts", "started_slot"), [(0, "a"), (4, "a"), (5, "b")])
async def test_a_slot_that_keeps_failing_gives_way_to_the_other(
    tmp_path: Path, attempts: int, started_slot: str
):
    config = config_of("keypad-5", free_port())
    async with running(config, tmp_path) as device:
        await device.until_log("wifi: joined")
        await device.device.power_cut()
        overwrite(tmp_path, with_slots(config, attempts))
        before = len(device.said)
        await device.device.power_on()
        if started_slot == "b":
            await started(device, before)
        else:
            await device.until_log("ValueError", after=before)
            await device.until(lambda line: line.get("reset") == "soft", after=before)


async def test_a_trial_without_a_gateway_ends_with_the_version_before(tmp_path: Path):
    config = config_of("keypad-5", free_port())
    async with running(config, tmp_path) as device:
        await device.until_log("wifi: joined")
        await device.device.power_cut()
        files = file_system(config)
        files |= {f"b{name[1:]}": files[name] for name in files if name.startswith("a/")}
        source = (mpy.firmware_root() / "choose.py").read_text()
        assert "1_800_000" in source
        files["choose.py"] = source.replace("1_800_000", "3_000").encode()
        for name in [name for name in files if name.startswith(("safe/", "choose.m"))]:
            del files[name]  # for room
        files["slot.json"] = b'{"slot":"a","trial":["b","0.2.0",7,3]}'
        overwrite(tmp_path, files)
        before = len(device.said)
        await device.device.power_on()
        await started(device, before)
        await device.until(lambda line: "reset" in line, after=before)
        again = len(device.said)
        await started(device, again)
        await device.until_log("wifi: joined", after=again)
        assert b'update{"s":"no_service","v":"0.2.0"}' in journal(tmp_path)


async def test_a_device_that_keeps_failing_starts_more_slowly(tmp_path: Path):
    config = config_of("keypad-5", free_port())
    async with running(config, tmp_path) as device:
        await device.until_log("wifi: joined")
        await device.device.power_cut()
        files = file_system(config)
        files["slot.json"] = json.dumps({"slot": "a", "attempts": 6}).encode()
        overwrite(tmp_path, files)
        before = len(device.said)
        await device.device.power_on()
        on = time.monotonic()
        await device.until_log("boot: 6 starts without a healthy one, waiting 2 s", after=before)
        await started(device, before)
        assert time.monotonic() - on >= 2


class Sleeper(SimDevice):
    """A device that sleeps deeply as soon as it is started; no process behind it."""

    spawned = 0

    async def _spawn(self) -> None:
        self.spawned += 1
        self.asleep = asyncio.Event()

    async def _read_to_end(self) -> tuple[dict[str, Any] | None, int]:
        self.asleep.set()
        return {"reset": "deep_sleep", "ms": 60_000}, 0


async def test_a_device_that_is_switched_off_asleep_is_not_started_again(tmp_path: Path):
    device = Sleeper({}, {}, tmp_path)
    await device.power_on()
    await device.asleep.wait()
    await device.power_cut()
    assert (device.spawned, device.is_on) == (1, False)


async def test_a_folder_belongs_to_one_device(tmp_path: Path):
    config = config_of("keypad-5", free_port())
    async with running(config, tmp_path) as first:
        await first.until_log("start: version")
        second = SimDevice(config, {"device": "dev-1", "psk": None, "wifi": []}, tmp_path)
        with pytest.raises(UserError, match="another simulated device runs on this folder"):
            await second.start()
        rtc = tmp_path / "rtc.bin"
        assert rtc.exists()
        await second.stop()
        assert rtc.exists()  # the first one's memory of why it starts next
