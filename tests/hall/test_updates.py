"""Releases that a gateway rolls out to a real firmware: the good one stays, bad ones go back."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest
from hall_tools.sim import FLASH, SimDevice
from support.flash_files import write_files
from support.sim import watched
from support.update_stage import HEALTHY, Stage, serving, stage_in

# What a new application may do, by what the hall is told of it.
BAD = {
    "crash": [("import gc\n", "import gc, no_such_module\n")],
    "hang": [
        ("_WATCHDOG_MS = const(10_000)", "_WATCHDOG_MS = const(1_000)"),
        ("        asyncio.run(device.supervisor.run())", "        while True:\n            pass"),
    ],
    "no_service": [('(broker["host"], broker["port"])', '(broker["host"], 1)')],
}


async def goes_back(stage: Stage, keypad: SimDevice, why: str) -> None:
    """A bad release is tried, given up, and told of with its reason."""
    async with serving(keypad):
        await stage.roll_out(stage.release(2, "0.2.0", *BAD[why]))
        assert await stage.told("staged", "0.2.0") == {"version": "0.2.0"}
        assert await stage.told("reverted", "0.2.0") == {"version": "0.2.0", "reason": why}


async def goes_back_then_stays(stage: Stage, keypad: SimDevice) -> None:
    """After a bad release a good one; then the bad one's counter is too low for this device, also
    when the command does not come from a gateway that would have refused to give it."""
    bad = stage.release(2, "0.2.0", *BAD["crash"])
    async with serving(keypad) as device:
        await stage.roll_out(bad)
        assert await stage.told("reverted", "0.2.0") == {"version": "0.2.0", "reason": "crash"}
        before = len(device.said)
        await stage.roll_out(stage.release(3, "0.3.0", HEALTHY))
        assert await stage.told("confirmed", "0.3.0") == {"version": "0.3.0"}
        await device.until_log("start: version 0.3.0", after=before)
        stage.order(bad)
        assert await stage.told("refused", "0.2.0") == {"version": "0.2.0", "reason": "counter"}


@pytest.mark.timeout(300)
async def test_bad_releases_go_back_and_a_good_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Side by side, each in a hall of its own: a roll-out stops at the first that goes back."""
    with ExitStack() as stack:
        halls = {
            why: stack.enter_context(stage_in(tmp_path / why))
            for why in ("crash", "hang", "no_service")
        }
        trials = {"crash": 120_000, "hang": 120_000, "no_service": 5_000}
        keypads = {why: halls[why].keypad(monkeypatch, trials[why]) for why in halls}
        async with asyncio.TaskGroup() as group:
            for why in ("hang", "no_service"):
                group.create_task(goes_back(halls[why], keypads[why], why))
            group.create_task(goes_back_then_stays(halls["crash"], keypads["crash"]))


async def test_a_device_in_safe_mode_is_mended_by_a_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Neither slot can be imported, and the last start of the second one fails, too: what is left
    fetches the release into one of them."""
    damaged = {f"{slot}/hall/app.mpy": b"no bytecode" for slot in "ab"}
    state = b'{"slot":"a","spare":"b","turn":1,"attempts":4}'
    with stage_in(tmp_path) as stage:
        keypad = stage.keypad(monkeypatch, 120_000)
        write_files(keypad.folder / FLASH, {**damaged, "slot.json": state})
        async with watched(keypad) as device:
            await device.until_log("ValueError: incompatible .mpy file")
            await device.until_log("error: safe mode: no application starts")
            in_safe_mode = len(device.said)
            await stage.roll_out(stage.release(2, "0.2.0", HEALTHY))
            assert await stage.told("staged", "0.2.0") == {"version": "0.2.0"}
            assert await stage.told("confirmed", "0.2.0") == {"version": "0.2.0"}
            await device.until_log("start: version 0.2.0", after=in_safe_mode)
            # And there it stays.
            before = len(device.said)
            await device.device.power_cut()
            await device.device.power_on()
            await device.until_log("start: version 0.2.0", after=before)
            assert not any("safe" in line.get("log", "") for line in device.said[before:])
