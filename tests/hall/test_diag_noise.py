"""The console through a bad cable, a talkative log and resets: the right answer, or none."""

import asyncio
import time
from pathlib import Path
from typing import Any

from hall_tools.diag.console import Console, merged
from support.diag import CHATTER, asked, opened, plugged, reflashed
from support.noisy_cable import NoisyCable


async def test_no_wrong_answer_through_noise_and_log(tmp_path: Path):
    """1 byte in 1500 is hit each way, while the device logs 100 lines a second."""
    async with plugged("wet-floor-mains", tmp_path) as device:
        await device.device.power_cut()
        reflashed(device.device, CHATTER)
        before = len(device.said)
        await device.device.power_on()
        await device.until_log("chatter", after=before)
        await device.until_log("wifi: joined", after=before)
        with NoisyCable(device.device.port) as cable:
            truth = await asked(cable.port, known)
            cable.worse = 1 / 1500
            answers = await asked(cable.port, lambda console: [known(console) for _ in range(8)])
            assert cable.hits > 10
            cable.worse = 0.0
            began = time.monotonic()
            await asked(cable.port, lambda console: console.ask("health", patience_s=1))
            assert time.monotonic() - began < 1
            logged = await asked(cable.port, chatter)
    for answer in answers:
        assert answer == truth
    assert logged > 80


def known(console: Console) -> list[Any]:
    """Answers that are the same whenever they are asked for."""
    health = merged(console.ask("health", patience_s=20))
    return [
        console.identify(20),
        merged(console.ask("config", patience_s=20)),
        console.ask("events", {"after": 0}, 20),
        [health[name] for name in ("start", "config_crc", "wifi", "journal")],
        health["shows"].keys(),
    ]


def chatter(console: Console) -> int:
    before = console.logged
    console.pump(1)
    return console.logged - before


async def test_a_reset_in_the_middle_of_a_reply_is_over_in_a_second(tmp_path: Path):
    async with plugged("wet-floor-mains", tmp_path) as device:
        for again in range(3):
            with opened(device.device.port) as console:
                await asyncio.to_thread(console.identify)
                before = len(device.said)
                asking = asyncio.create_task(asyncio.to_thread(console.ask, "config"))
                await device.until_log(" config [3,", after=before)
                await device.device.kill()
                assert not asking.done()
                await device.device.power_on()
                await device.until_log("heap: ", after=before)  # from here on it can answer
                up = time.monotonic()
                assert merged(await asking) == device.device.config
                assert time.monotonic() - up < 1
                # The session of before is not the device's: it was begun anew.
                health = merged(await asyncio.to_thread(console.ask, "health"))
                assert health["journal"]["boot"] == again + 2
