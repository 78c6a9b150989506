"""A technician with a cable: `hall diag` and the firmware's console, over a real terminal."""

import asyncio
import json
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hall_tools.diag.console import Console, RefusedError, SilentError, merged
from hall_tools.diag.report import events
from support.diag import asked, claim_file, hall, plugged


async def test_everything_a_device_says_of_itself(tmp_path: Path):
    async with plugged("wet-floor-mains", tmp_path) as device:
        await device.until_log("wifi: joined")

        def ask(console: Console) -> tuple[dict[str, Any], ...]:
            who = console.identify()
            whole = tuple(merged(console.ask(name)) for name in ("health", "config", "selftest"))
            return who, *whole

        who, health, config, selftest = await asked(device.device.port, ask)
    assert who | {"core": "x"} == {
        "device": "dev-1",
        "profile": "wet-floor-mains",
        "role": "wet_floor",
        "chip": "esp32",
        "fw": "0.1.0",
        "core": "x",
        "slot": "/a",
        "guarded": True,
    }
    assert health["start"] == {
        "cause": "power_on",
        "note": None,
        "attempts": 1,
        "trial": None,
    }
    assert health["wifi"]["ssid"] == "hall"
    assert health["wifi"]["rssi"] < 0
    assert health["journal"]["boot"] == 1
    assert health["journal"]["depth"] == 1
    assert health["heap"]["free"] > 10_000
    assert health["files"]["free"] > 100_000
    assert health["errors"][0]["text"].endswith("ECONNREFUSED")
    assert health["shows"].keys() >= {"ohms", "wet", "fault"}
    assert "failed" not in health
    assert 0 < health["heap"]["least"] <= health["heap"]["free"] + 5_000
    assert config == device.device.config
    assert selftest == {"probe": True, "journal": True}


@pytest.mark.parametrize(
    ("profile", "line", "raw"),
    [
        ("keypad-5", {"press": 3, "ms": 2000}, {"keys": 4}),
        ("people-counter-beams", {"cross": "in", "ms": 3000}, {"a": 1}),
        ("wet-floor-mains", {"wet_ohms": 20000}, None),
    ],
)
async def test_a_sensor_is_seen_raw_and_filtered(
    tmp_path: Path, profile: str, line: dict[str, Any], raw: dict[str, int] | None
):
    samples: list[dict[str, Any]] = []
    first = threading.Event()
    async with plugged(profile, tmp_path) as device:

        def watch(console: Console) -> None:
            console.watch(50, take)
            end = time.monotonic() + 10
            while time.monotonic() < end and not (samples and found(samples[-1])):
                console.pump(0.1)
            console.unwatch()
            count = len(samples)
            console.pump(0.3)
            assert len(samples) == count

        def take(sample: dict[str, Any]) -> None:
            samples.append(sample)
            first.set()

        def found(sample: dict[str, Any]) -> bool:
            if raw is None:
                return sample["raw"]["ohms"] < 25000 and sample["filtered"]["wet"] is True
            return (
                raw.items() <= sample["raw"].items() and raw.items() <= sample["filtered"].items()
            )

        watching = asyncio.create_task(asked(device.device.port, watch))
        await asyncio.to_thread(first.wait, 10)
        await device.device.send(line)
        await watching
    assert found(samples[-1])
    assert not found(samples[0])


async def test_a_display_shows_its_test_and_has_no_sensor(tmp_path: Path):
    async with plugged("call-display-7seg-max7219", tmp_path) as device:
        before = len(device.said)
        await asked(device.device.port, lambda console: console.ask("display"))
        await device.until(lambda line: "segments" in line or "digits" in line, after=before)
        with pytest.raises(RefusedError, match="no sensor"):
            await asked(device.device.port, lambda console: console.watch(100, print))


async def test_the_claim_opens_the_console_and_nothing_else_does(tmp_path: Path):
    async with plugged("keypad-5", tmp_path) as device:
        port = device.device.port
        with pytest.raises(RefusedError, match="wrong mac"):
            await asked(port, lambda console: console.ask("selftest"), bytes(16))
        with pytest.raises(RefusedError, match="needs its claim"):
            await asked(port, lambda console: console.ask("selftest"), None)

        def both(console: Console) -> dict[str, Any]:
            assert merged(console.ask("selftest"))["journal"]  # after the lock
            return merged(console.ask("health"))["console"]

        counts = await asked(port, both)
        assert counts["wrong_mac"] == 1
    async with plugged("keypad-5", tmp_path, None) as device:
        with pytest.raises(RefusedError, match="hall enroll dev-1"):
            await asked(device.device.port, lambda console: console.ask("reboot"))


async def test_a_device_that_has_stopped_says_why_and_starts_again(tmp_path: Path):
    async with plugged("keypad-5", tmp_path, device="dev-2") as device:

        def ask(console: Console) -> dict[str, Any]:
            for command in ("selftest", "display"):
                with pytest.raises(RefusedError, match="has stopped, see errors in health"):
                    console.ask(command)
            return merged(console.ask("health"))

        health = await asked(device.device.port, ask)
        assert health["errors"][-1]["text"] == "ident is of dev-1, config of dev-2"
        before = len(device.said)
        await asked(device.device.port, lambda console: console.ask("reboot"))
        await device.until_log("start: version", after=before)


async def test_events_are_listed_by_pages(tmp_path: Path):
    async with plugged("keypad-5", tmp_path) as device:
        for key in (1, 2, 3, 4, 5) * 4:
            before = len(device.said)
            await device.device.send({"press": key, "ms": 60})
            lamp = {"pin": f"lamp_{key}"}
            await device.until(lambda line, lamp=lamp: lamp.items() <= line.items(), after=before)
            await device.until(lambda line: line.get("value") == 0, after=before)
        found = await asked(device.device.port, lambda console: events(console, 0, 100))
        assert [event["seq"] for event in found] == list(range(1, 22))
        assert [event["data"]["key"] for event in found[1:]] == [1, 2, 3, 4, 5] * 4
        last = await hall("events", device.device.port, "--last", "3", *claim_file(tmp_path))
        assert last.returncode == 0, last.stderr
        assert last.stdout.count("press") == 3
        assert "21 wait for the gateway, 0 dropped" in last.stdout


async def test_a_device_that_is_off_is_told_and_waited_for(tmp_path: Path):
    async with plugged("keypad-5", tmp_path) as device:
        await device.device.power_cut()
        with pytest.raises(SilentError, match="no answer in 1 s; is it the right port"):
            await asked(device.device.port, lambda console: console.identify(1))
        task = asyncio.create_task(asked(device.device.port, lambda console: console.identify(15)))
        await asyncio.sleep(0)
        await device.device.power_on()
        assert (await task)["device"] == "dev-1"


async def test_a_floor_is_calibrated_when_it_is_dry_and_no_other_device_is(tmp_path: Path):
    claim = claim_file(tmp_path)
    async with plugged("wet-floor-mains", tmp_path) as device:
        port = device.device.port
        done = await hall("calibrate", port, *claim)
        assert done.returncode == 0, done.stderr
        words = re.fullmatch(r"dev-1: calibrated, its dry floor reads ([\d,]+) Ω\n", done.stdout)
        assert words is not None, done.stdout
        dry_ohms = int(words[1].replace(",", ""))
        shown = await asked(port, lambda console: merged(console.ask("health"))["shows"])
        assert shown["dry_ohms"] == dry_ohms
        for line, why in (
            ({"wet_ohms": 20000}, r"dev-1: not calibrated: \d+ ohm is wet: dry the floor"),
            ({"probe": "open"}, "dev-1: not calibrated: the probe is at fault: open"),
        ):
            await device.device.send(line)
            done = await hall("calibrate", port, "--json", *claim)
            assert done.returncode == os.EX_NOPERM
            assert re.search(why, done.stderr), done.stderr
        shown = await asked(port, lambda console: merged(console.ask("health"))["shows"])
        assert shown["dry_ohms"] == dry_ohms
    async with plugged("keypad-5", tmp_path) as device:
        done = await hall("calibrate", device.device.port, *claim)
        assert done.returncode == os.EX_USAGE
        assert "dev-1: is a keypad-5, which has nothing to calibrate" in done.stderr


async def test_reboot_waits_until_the_device_is_there_again(tmp_path: Path):
    async with plugged("keypad-5", tmp_path) as device:
        done = await hall("reboot", device.device.port, *claim_file(tmp_path))
        assert done.returncode == 0, done.stderr
        assert done.stdout == "started again, cause soft\n"


async def test_hall_diag_for_programs_and_without_a_terminal(tmp_path: Path):
    async with plugged("keypad-5", tmp_path) as device:
        done = await hall(device.device.port, "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["id"]["device"] == "dev-1"
        assert "nonce" not in done.stdout
        done = await hall("selftest", device.device.port, "--json", *claim_file(tmp_path))
        assert (done.returncode, json.loads(done.stdout)) == (
            0,
            {"keys_released": True, "journal": True},
        )
        done = await hall("sensor", device.device.port, "--seconds", "0.5", *claim_file(tmp_path))
        assert done.stdout.count("raw: keys=0  filtered: keys=0 stuck=0") >= 3


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["/dev/none"], os.EX_NOINPUT, "/dev/none: there is no such port"),
        (["selftest", "/dev/none"], os.EX_NOINPUT, "there is no such port"),
        (["/etc/passwd"], os.EX_NOINPUT, "cannot open it as a serial port"),
        (["--claim-file", "/dev/null", "x"], os.EX_DATAERR, "no claim; right: the 32 hex digits"),
        (["--claim-file", "/none", "x"], os.EX_NOINPUT, "/none: cannot read it: No such file"),
        (["events", "--last", "0", "x"], os.EX_USAGE, "Usage: hall diag events"),
    ],
)
async def test_what_is_wrong_is_said(arguments: list[str], exit_code: int, said: str):
    done = await hall(*arguments)
    assert done.returncode == exit_code, done.stderr
    assert said in done.stderr
