"""The prompt on the same cable: who gets it, what mpremote does there, and the way back."""

import asyncio
import functools
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hall_tools.diag.console import Console, merged
from support.diag import MPREMOTE, asked, claim_file, hall, mpremote, plugged


async def test_the_prompt_is_mpremotes_and_the_device_comes_back(tmp_path: Path):
    async with plugged("keypad-5", tmp_path) as device:
        port = device.device.port
        done = await hall("repl", port, *claim_file(tmp_path))
        assert done.returncode == 0, done.stderr
        assert f"mpremote connect {port} resume" in done.stdout
        code = "import os, sys; print(sorted(os.listdir('/')), 6*7)"
        told = await mpremote(port, "exec", code)
        assert told.returncode == 0, told.stdout + told.stderr
        assert (
            told.stdout.strip()
            == "['a', 'boot.py', 'choose.mpy', 'config.json', 'main.py', 'safe', 'slot.json'] 42"
        )
        # Ctrl-C ends what was begun there and does not end by itself.
        endless = await asyncio.create_subprocess_exec(
            *(MPREMOTE, "connect", port, "resume", "exec", "print('busy')\nwhile True: pass"),
            stdout=asyncio.subprocess.PIPE,
            # It may have been told to ignore that, where the tests run in the background.
            preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        assert endless.stdout is not None
        assert (await endless.stdout.readline()).strip() == b"busy"
        endless.send_signal(signal.SIGINT)
        await endless.wait()
        told = await mpremote(port, "exec", "print(6*7)")
        assert told.stdout.strip() == "42", told.stdout + told.stderr
        before = len(device.said)
        await mpremote(port, "exec", "--no-follow", "import machine; machine.reset()")
        await device.until_log("start: version", after=before)
        assert await asked(port, lambda console: console.identify())


@pytest.mark.parametrize("public", [False, True])
async def test_ctrl_c_stops_the_start_only_where_it_may(tmp_path: Path, public: bool):
    more: dict[str, Any] = {"bench": False} if public else {}
    async with plugged("keypad-5", tmp_path, **more) as device:
        # Not just anywhere: the unix port raises KeyboardInterrupt at once, unlike the chip, and
        # within a collection of garbage that leaves its heap locked.
        await device.device.send({"hang_ms": 500})
        await device.until(lambda line: "hangs" in line)
        interrupt(device.device.port)
        if not public:
            await device.until_log("MicroPython")
            told = await mpremote(device.device.port, "exec", "print(6*7)")
            assert told.stdout.strip() == "42"
            return

        def noise(console: Console) -> int:
            console.identify()
            return merged(console.ask("health"))["console"]["noise"]

        assert await asked(device.device.port, noise) >= 1


async def test_ctrl_c_is_noise_after_two_seconds(tmp_path: Path):
    async with plugged("keypad-5", tmp_path) as device:

        def up_s(console: Console) -> int:
            return merged(console.ask("health"))["up_s"]

        def grown(console: Console) -> None:
            while up_s(console) < 3:
                console.pump(0.2)

        await asked(device.device.port, grown)
        for _ in range(3):
            interrupt(device.device.port)
        before = await asked(device.device.port, up_s)
        assert before >= 3
        assert device.device.is_on


def interrupt(port: str) -> None:
    terminal = os.open(port, os.O_RDWR | os.O_NOCTTY)
    os.write(terminal, b"\x03")
    os.close(terminal)
