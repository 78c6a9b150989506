"""A technician with a cable: `hall diag` and the firmware's console, over a real terminal."""

import asyncio
import base64
import contextlib
import fcntl
import functools
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hall_gateway.keys import KeyStore
from hall_profiles import load
from hall_tools.diag.console import Console, RefusedError, SilentError, merged
from hall_tools.diag.port import Port
from hall_tools.diag.report import events
from hall_tools.image.layout import partition
from hall_tools.image.vfs import file_system, vfs_image
from hall_tools.ports import free_port
from hall_tools.sim import SimDevice
from support.noisy_cable import NoisyCable
from support.sim import Watched, config_of

T = TypeVar("T")
HALL = str(Path(sys.executable).with_name("hall"))
MPREMOTE = str(Path(sys.executable).with_name("mpremote"))
CLAIM = bytes.fromhex("00112233445566778899aabbccddeeff")
PASSWORD = "ein-langes-Wort"

CHATTER = """
import asyncio
async def chatter():
    n = 0
    while True:
        n += 1
        print("[%d] chatter: somebody@home says *%08x to all of them" % (n, n))
        await asyncio.sleep_ms(10)
asyncio.create_task(chatter())
"""


@asynccontextmanager
async def plugged(
    profile: str, folder: Path, claim: bytes | None = CLAIM, **config: Any
) -> AsyncIterator[Watched]:
    """A running device with a claim."""
    settings = {**config_of(profile, free_port()), **config}
    ident = {"device": "dev-1", "psk": None, "wifi": [["hall", PASSWORD]]}
    device = SimDevice(settings, ident | ({"claim": claim.hex()} if claim else {}), folder)
    watched = Watched(device)
    listener = asyncio.create_task(watched.listen())
    try:
        await device.start()
        await watched.until_log("heap: ")
        yield watched
    finally:
        await device.stop()
        await listener


@contextmanager
def opened(port: str, claim: bytes | None = CLAIM):
    line = Port(port)
    try:
        yield Console(line, lambda _device: claim)
    finally:
        line.close()


async def asked(port: str, ask: Callable[[Console], T], claim: bytes | None = CLAIM) -> T:
    """What `ask` returns, in a thread of its own: the console waits."""

    def work() -> T:
        with opened(port, claim) as console:
            return ask(console)

    return await asyncio.to_thread(work)


async def hall(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(
        subprocess.run,
        [HALL, "diag", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


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
    assert health["start"] == {"cause": "power_on", "note": None, "attempts": 1}
    assert health["wifi"]["ssid"] == "hall"
    assert health["wifi"]["rssi"] < 0
    assert health["journal"]["boot"] == 1
    assert health["journal"]["depth"] == 1
    assert health["heap"]["free"] > 10_000
    assert health["files"]["free"] > 100_000
    assert health["errors"][0]["text"].endswith("ECONNREFUSED")
    assert health["shows"].keys() == {"ohms", "wet", "fault"}
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


def claim_file(folder: Path) -> list[str]:
    file = folder / "claim"
    file.touch(mode=0o600)
    file.write_text(f"HALLKIT:1:DEV-1:KEYPAD-5:1:{CLAIM.hex().upper()}\n")
    return ["--claim-file", str(file)]


def chatting(device: SimDevice) -> None:
    """100 log lines a second, beside what the application logs itself."""
    files = file_system(device.config)
    files["main.py"] = CHATTER.encode() + files["main.py"]
    with (device.folder / "flash.bin").open("r+b") as chip:
        chip.seek(partition("vfs").offset)
        chip.write(vfs_image(files))


async def test_no_wrong_answer_through_noise_and_log(tmp_path: Path):
    """1 byte in 1500 is hit each way, while the device logs 100 lines a second."""
    async with plugged("wet-floor-mains", tmp_path) as device:
        await device.device.power_cut()
        chatting(device.device)
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
                await device.until_log("start: version", after=before)
                up = time.monotonic()
                assert merged(await asking) == device.device.config
                assert time.monotonic() - up < 1
                # The session of before is not the device's: it was begun anew.
                health = merged(await asyncio.to_thread(console.ask, "health"))
                assert health["journal"]["boot"] == again + 2


async def test_a_device_that_is_off_is_told_and_waited_for(tmp_path: Path):
    async with plugged("keypad-5", tmp_path) as device:
        await device.device.power_cut()
        with pytest.raises(SilentError, match="no answer in 1 s; is it the right port"):
            await asked(device.device.port, lambda console: console.identify(1))
        task = asyncio.create_task(asked(device.device.port, lambda console: console.identify(15)))
        await asyncio.sleep(0)
        await device.device.power_on()
        assert (await task)["device"] == "dev-1"


async def test_the_prompt_is_mpremotes_and_the_device_comes_back(tmp_path: Path):
    async with plugged("keypad-5", tmp_path) as device:
        port = device.device.port
        done = await hall("repl", port, *claim_file(tmp_path))
        assert done.returncode == 0, done.stderr
        assert f"mpremote connect {port} resume" in done.stdout
        code = "import os, sys; print(sorted(os.listdir('/')), 6*7)"
        told = await mpremote(port, "exec", code)
        assert told.returncode == 0, told.stdout + told.stderr
        assert told.stdout.strip() == "['a', 'boot.py', 'config.json', 'main.py', 'slot.json'] 42"
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


async def mpremote(port: str, *command: str) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(
        subprocess.run,
        [MPREMOTE, "connect", port, "resume", *command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("public", [False, True])
async def test_ctrl_c_stops_the_start_only_where_it_may(tmp_path: Path, public: bool):
    more = {"bench": False} if public else {}
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


async def test_reboot_waits_until_the_device_is_there_again(tmp_path: Path):
    async with plugged("keypad-5", tmp_path) as device:
        done = await hall("reboot", device.device.port, *claim_file(tmp_path))
        assert done.returncode == 0, done.stderr
        assert done.stdout == "started again, cause soft\n"


async def test_a_report_has_everything_and_no_secret(tmp_path: Path):
    folder = tmp_path / "hallkit"
    folder.mkdir()
    keys = KeyStore(folder / "keys").enrol("dev-1", load("wet-floor-mains"))
    wifi = folder / "wifi.toml"
    wifi.touch(mode=0o600)
    wifi.write_text(f'[[network]]\nssid = "hall"\npassword = "{PASSWORD}"\n')
    claim = bytes.fromhex(keys.claim)
    secrets = [claim, bytes.fromhex(keys.psk or ""), PASSWORD.encode()]
    async with plugged("wet-floor-mains", tmp_path / "device", claim) as device:
        await device.device.power_cut()
        # The worst: a program that logs them all.
        leak = [secret.hex() for secret in secrets] + [PASSWORD, base64.b64encode(claim).decode()]
        files = file_system(device.device.config)
        files["main.py"] = (
            f"{CHATTER}\nprint({leak!r})\n".replace("somebody@home", keys.claim.upper()).encode()
            + files["main.py"]
        )
        with (device.device.folder / "flash.bin").open("r+b") as chip:
            chip.seek(partition("vfs").offset)
            chip.write(vfs_image(files))
        await device.device.power_on()
        out = tmp_path / "report.json"
        done = await hall(
            *("report", device.device.port, "--out", str(out)),
            *("--config", str(folder / "hall.toml")),
        )
        assert done.returncode == 0, done.stderr
    text = out.read_text()
    told = json.loads(text)
    assert told["id"]["device"] == "dev-1"
    assert told["config"] == device.device.config
    assert told["selftest"] == {"probe": True, "journal": True}
    assert told["events"][0]["kind"] == "boot"
    assert len(told["samples"]) > 10
    assert any("[removed]" in line for line in told["log"])
    for shown in (text, done.stdout, done.stderr):
        for secret in secrets:
            for spelling in (
                secret.hex(),
                base64.b64encode(secret).decode().rstrip("="),
                base64.urlsafe_b64encode(secret).decode().rstrip("="),
                secret.decode("latin-1"),
            ):
                assert not re.search(re.escape(spelling), shown, re.IGNORECASE), spelling


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


class Screen:
    """`hall diag` in a terminal of 100 columns; what it has shown so far, without its colours."""

    def __init__(self, *arguments: str) -> None:
        self._master, terminal = pty.openpty()
        # A parallel test run sets these, and they would win over the terminal's own size.
        own = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")
        }
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 45, 100, 0, 0))
        self.process = subprocess.Popen(
            [HALL, "diag", *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=own | {"TERM": "xterm"},
            # Ctrl-C ends it also where the tests run in the background, which ignores it.
            preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        os.close(terminal)

    def until(self, *parts: str, seconds: float = 20) -> None:
        """Waits for a picture, begun after this call, that has all of `parts`."""
        shown = b""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self._master], [], [], 0.1)[0]:
                shown += os.read(self._master, 65536)
            pictures = shown.split(b"\x1b[H")[1:]
            for picture in pictures:
                text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", picture.decode("utf-8", "replace"))
                if all(part in text for part in parts):
                    return
        raise AssertionError(shown[-4000:].decode("utf-8", "replace"))

    def close(self) -> int:
        self.process.send_signal(signal.SIGINT)
        while True:
            with contextlib.suppress(OSError):
                os.read(self._master, 65536)
            if self.process.poll() is not None:
                os.close(self._master)
                return self.process.returncode


async def test_the_page_lives_and_says_when_it_is_old(tmp_path: Path):
    async with plugged("wet-floor-mains", tmp_path) as device:
        screen = Screen(device.device.port, *claim_file(tmp_path))

        async def shows(*parts: str) -> None:
            await asyncio.to_thread(screen.until, *parts)

        try:
            await shows("dev-1", "answers", "power_on", "raw forward_uv", "▁")
            await device.device.power_cut()
            await shows("dev-1", "all of this is old")
            await device.device.power_on()
            # The samples go on too: the stream was begun anew.
            await shows("dev-1", "answers", "boot count  2", "raw forward_uv")
        finally:
            code = await asyncio.to_thread(screen.close)
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["/dev/none"], os.EX_NOINPUT, "/dev/none: there is no such port"),
        (["selftest", "/dev/none"], os.EX_NOINPUT, "there is no such port"),
        (["/etc/passwd"], os.EX_NOINPUT, "cannot open it as a serial port"),
        (["--claim-file", "/dev/null", "x"], os.EX_DATAERR, "no claim; right: the 32 hex digits"),
        (["--claim-file", "/none", "x"], os.EX_NOINPUT, "/none: cannot read it: No such file"),
        (["events", "--last", "0", "x"], 2, "Usage: hall diag events"),
    ],
)
async def test_what_is_wrong_is_said(arguments: list[str], exit_code: int, said: str):
    done = await hall(*arguments)
    assert done.returncode == exit_code, done.stderr
    assert said in done.stderr
