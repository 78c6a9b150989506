"""`hall demo` as a user runs it: the whole hall in real processes, and nothing left of it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.paho_client import PlainClient, Received
from support.traffic import Traffic

START_S = 30.0
STOP_S = 20.0

MAIN = (
    *("hall.call.shown", "hall.service.started", "hall.service.ended", "hall.ticket.called"),
    *("hall.rating.pressed", "hall.rating.given", "hall.count.passage", "hall.count.occupancy"),
    *("hall.floor.wet", "hall.floor.attended", "hall.rain.ended"),
    *("hall.device.started", "hall.device.online"),
    *("command.call", "command.start", "command.end", "reply.window"),
    *("state", "state.gateway", "online"),
    *("up.event.boot", "up.event.press", "up.event.close", "up.event.shown", "up.event.passage"),
    *("up.state", "up.online", "down.ack", "down.desired.call_display", "down.desired.keypad"),
    *("profile events", "profile shows", "profile desired"),
)
"""Messages of the contract that a short demo cannot do without."""


class Demo:
    """`hall demo` in a process group of its own, as a terminal starts it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._mark = uuid.uuid4().hex
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        environment = os.environ | {"TMPDIR": str(self.temporary), "HALL_TEST_MARK": self._mark}
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from hall_tools.cli import main; main()", "demo", *arguments],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.said: list[str] = []

    def wait_for(self, words: str) -> None:
        """Reads the log until a line with `words`."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if words in line:
                return
        raise AssertionError(f"ended without {words!r}: {self.said}")

    def broker_port(self) -> int:
        """The broker's, once somebody can connect to it."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            for settings in self.temporary.glob("*/gateway.toml"):
                port = tomllib.loads(settings.read_text(encoding="utf-8"))["broker"]["port"]
                with suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
                    return port
            time.sleep(0.02)
        raise AssertionError(f"no broker in {START_S} s: {self.said}")

    def end(self, timeout: float) -> int:
        """The exit code; the rest of the log is read."""
        _, rest = self.process.communicate(timeout=timeout)
        self.said.append(rest)
        return self.process.returncode

    def family(self) -> list[str]:
        """The command lines of all its processes that still live, by the mark they inherited."""
        found: list[str] = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if self._mark.encode() in (entry / "environ").read_bytes():
                        found.append((entry / "cmdline").read_bytes().decode())
                except OSError:
                    continue  # it ended while it was looked at
        return found

    def assert_nothing_left(self) -> None:
        assert self.family() == []
        assert list(self.temporary.iterdir()) == []


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    started: list[Demo] = []

    def start(*arguments: str) -> Demo:
        started.append(Demo(tmp_path, *arguments))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.process.wait(STOP_S)
        assert demo.process.stderr is not None
        demo.process.stderr.close()


def test_a_short_run_receives_exactly_what_happened(start: Any, tmp_path: Path) -> None:
    report_path = tmp_path / "report.json"
    demo = start("--headless", "--seconds", "15", "--seed", "3", "--report", str(report_path))
    with PlainClient(demo.broker_port(), ["#"], name="watcher") as watcher:
        assert demo.end(timeout=100) == 0, demo.said
    demo.assert_nothing_left()
    _is_as_the_contract_says(watcher.received)
    report = json.loads(report_path.read_text(encoding="utf-8"))
    assert report["schema"] == 2
    assert report["seed"] == 3
    assert (report["lost"], report["duplicated"], report["unexpected"]) == (0, 0, 0)
    assert report["failures"] == []
    assert report["truth"] == report["received"]
    assert report["truth"]["device.started"] == report["truth"]["device.online"] == 7
    for kind in ("call.shown", "service.ended", "count.passage.in"):
        assert report["received"][kind] >= 2, kind
    for kind in ("rating.given", "floor.wet", "floor.attended", "rain.ended"):
        assert report["received"][kind] >= 1, kind
    for name in ("press_to_hall_ms", "press_to_lamp_ms", "call_to_display_ms"):
        figures = report["latency_ms"][name]
        assert 0 < figures["p50"] <= figures["p99"] <= figures["max"]


def _is_as_the_contract_says(messages: list[Received]) -> None:
    """Every message of real firmware, gateway and queue system, on both sides."""
    traffic = Traffic().take_all(messages)
    print(f"{len(messages)} messages:", *sorted(traffic.seen.items()))
    assert not traffic.faults, "\n".join(traffic.faults[:10])
    assert [name for name in MAIN if not traffic.seen[name]] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_leaves_nothing(start: Any, number: signal.Signals) -> None:
    demo = start("--headless", "--seconds", "600", "--console")
    demo.wait_for("the manager's page")
    address = demo.said[-1].split()[-3]
    demo.wait_for("of 600 s")
    assert len(demo.family()) >= 10  # itself, the gateway, the console, seven devices
    with urllib.request.urlopen(f"{address}login", timeout=START_S) as page:
        assert b"csrf" in page.read()
    os.killpg(demo.process.pid, number)
    assert demo.end(STOP_S) == 128 + number
    demo.assert_nothing_left()


def test_ctrl_c_while_starting_leaves_nothing(start: Any) -> None:
    demo = start("--headless", "--seconds", "600")
    demo.wait_for("starting")
    os.killpg(demo.process.pid, signal.SIGINT)
    assert demo.end(STOP_S) == 128 + signal.SIGINT
    demo.assert_nothing_left()


def test_a_killed_demo_takes_its_children_with_it(start: Any) -> None:
    demo = start("--headless", "--seconds", "600")
    demo.wait_for("the hall is open")
    demo.process.kill()
    demo.end(STOP_S)
    deadline = time.monotonic() + STOP_S
    while demo.family() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert demo.family() == []


def test_a_gateway_that_dies_ends_the_demo_with_a_reason(start: Any) -> None:
    demo = start("--headless", "--seconds", "600")
    demo.wait_for("the hall is open")
    gateway = _child_with(demo, "gateway")
    os.kill(gateway, signal.SIGKILL)
    assert demo.end(STOP_S) == os.EX_SOFTWARE
    assert "the gateway ended with exit code -9" in "".join(demo.said)
    demo.assert_nothing_left()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--headless"], "need --seconds"),
        (["--seconds", "5"], "no terminal"),
        (["--headless", "--seconds", "5", "--report", "/nowhere/r.json"], "/nowhere: no such"),
    ],
)
def test_wrong_options_are_refused_at_once(start: Any, arguments: list[str], words: str) -> None:
    demo = start(*arguments)
    assert demo.end(timeout=20) in (os.EX_USAGE, os.EX_CANTCREAT)
    assert words in "".join(demo.said)


def _child_with(demo: Demo, word: str) -> int:
    for entry in Path(f"/proc/{demo.process.pid}/task").iterdir():
        for child in (entry / "children").read_text().split():
            if word in Path(f"/proc/{child}/cmdline").read_bytes().decode():
                return int(child)
    raise AssertionError(f"no child process with {word!r}")
