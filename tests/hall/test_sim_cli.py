"""`hall sim run` as a person uses it: lines, errors, exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hall_tools import mpy
from hall_tools.ports import free_port

HALL = str(Path(sys.executable).with_name("hall"))
KEYPAD = ("keypad-5", "--device", "kp-1", "--broker", "127.0.0.1:1883")


def hall(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HALL, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


class Terminal:
    """A running `hall sim run keypad-5`, its stdin and stdout."""

    def __init__(self, folder: Path) -> None:
        broker = f"127.0.0.1:{free_port()}"
        self.process = subprocess.Popen(
            [HALL, "sim", "run", *KEYPAD[:3], "--broker", broker, "--state", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")

    def until(self, part: str) -> str:
        """The next line that contains `part`; the test's own time-out bounds the wait."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if part in line:
                return line
        raise AssertionError(f"ended without {part!r}")

    def children(self) -> list[int]:
        pid = self.process.pid
        names = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(child) for name in names for child in name.read_text().split()]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    started = Terminal(tmp_path / "state")
    with started.process:
        yield started
        if started.process.poll() is None:
            started.process.kill()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def test_lines_go_in_and_out(terminal: Terminal):
    terminal.until("wifi: joined")
    terminal.tell('{"press": 2}')
    pressed: dict[str, Any] = json.loads(terminal.until('"pressed"'))
    lit: dict[str, Any] = json.loads(terminal.until('"lamp_2"'))
    assert lit["t_us"] - pressed["t_us"] < 50_000
    terminal.tell('{"power": "cut"}')
    terminal.until('{"off":')
    terminal.tell('{"press": 2}')
    assert "kp-1 is off" in terminal.until('"error"')
    terminal.tell('{"power": "on"}')
    terminal.until("start: version")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_switches_the_device_off(terminal: Terminal, ending: signal.Signals):
    terminal.until("wifi: joined")
    (child,) = terminal.children()
    terminal.process.send_signal(ending)
    assert terminal.process.wait(10) == 0
    assert not alive(child)


def test_the_end_of_stdin_does_not_switch_it_off(terminal: Terminal):
    assert terminal.process.stdin is not None
    terminal.process.stdin.close()
    terminal.until("wifi: joined")
    assert terminal.process.poll() is None
    terminal.process.stdin = None


def test_a_device_dies_with_its_host(terminal: Terminal):
    terminal.until("wifi: joined")
    (child,) = terminal.children()
    os.kill(terminal.process.pid, signal.SIGKILL)
    until_gone(child)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("no-such-thing", *KEYPAD[1:]), os.EX_DATAERR, "no-such-thing"),
        ((*KEYPAD[:3], "--broker", "localhost"), os.EX_USAGE, "--broker localhost: not HOST:PORT"),
        ((*KEYPAD[:3], "--broker", "h:x"), os.EX_USAGE, "--broker h:x: not HOST:PORT"),
        ((*KEYPAD[:3], "--broker", "h:70000"), os.EX_USAGE, "port 70000 is not 1 to 65535"),
        ((*KEYPAD[:3], "--broker", "h.invalid:1"), os.EX_NOHOST, "h.invalid has no IPv4 address"),
        ((*KEYPAD, "--psk", "abc"), os.EX_USAGE, "--psk: not 32 to 128 hex digits"),
        ((*KEYPAD, "--set", "debounce_ms"), os.EX_USAGE, "not NAME=VALUE with a whole number"),
        ((*KEYPAD, "--set", "debounce_ms=9999"), os.EX_DATAERR, "debounce_ms"),
        ((*KEYPAD, "--set", "no_such=1"), os.EX_DATAERR, "no_such"),
        (("keypad-5", "--device", "KP 1", *KEYPAD[3:]), os.EX_DATAERR, "KP 1"),
        (
            ("call-display-p10-64x16-pi", *KEYPAD[1:]),
            os.EX_DATAERR,
            "call-display-p10-64x16-pi: the gateway drives this display itself",
        ),
    ],
)
def test_what_cannot_be_run_is_one_clear_line(
    tmp_path: Path, arguments: tuple[str, ...], exit_code: int, message: str
):
    done = hall("sim", "run", *arguments, "--state", str(tmp_path))
    assert done.returncode == exit_code, done.stderr
    assert done.stderr.startswith("hall: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_the_firmware_names_the_version_it_was_released_with():
    app = (mpy.firmware_root() / "hall" / "app.py").read_text()
    assert f'\nVERSION = "{metadata.version("hallkit")}"\n' in app
