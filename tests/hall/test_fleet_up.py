"""`hall fleet up`: started, hurt, killed and started again, and what is left of it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.office import office_folder

BUSY_S = 100.0


class Up:
    """`hall fleet up --dir FOLDER/office …`, and what it has said."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._said = folder / "said"
        command = [sys.executable, "-m", "hall_tools.cli", "fleet", "up"]
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [*command, "--dir", str(folder / "office"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    @property
    def said(self) -> str:
        return self._said.read_text(encoding="utf-8")

    def line(self, text: str) -> str:
        """The first with `text`, as soon as there is one."""
        deadline = time.monotonic() + BUSY_S
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.said.splitlines():
                if text in line:
                    return line
            time.sleep(0.05)
        raise AssertionError(f"no {text!r} in: {self.said}")

    def ended(self) -> int:
        return self.process.wait(BUSY_S)


@contextmanager
def up(folder: Path, *arguments: str) -> Iterator[Up]:
    running = Up(folder, *arguments)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def processes(folder: Path, wanted: Callable[[list[str]], bool] = bool) -> list[int]:
    """Those with `folder` in their command line, and `wanted`."""
    found: list[int] = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended
        if any(str(folder) in argument for argument in arguments) and wanted(arguments):
            found.append(int(place.name))
    return found


def gone(folder: Path) -> None:
    """Returns when no process of the back office is left: those of one that was killed end."""
    deadline = time.monotonic() + BUSY_S
    while left := processes(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@pytest.mark.timeout(400)
def test_a_back_office_comes_back_whatever_ends(tmp_path: Path) -> None:
    with office_folder() as folder:
        office = folder / "office"
        with up(folder) as first:
            first.line("starting three nats-servers")
            first.process.send_signal(signal.SIGINT)
            assert first.ended() == 0, first.said
            assert processes(folder) == []

        with up(folder) as second:
            second.line("Ctrl-C")
            password = second.line("password").split()[-1]
            another = subprocess.run(
                [sys.executable, "-m", "hall_tools.cli", "fleet", "up", "--dir", str(office)],
                capture_output=True,
                text=True,
                timeout=BUSY_S,
            )
            assert another.returncode == os.EX_TEMPFAIL
            assert f"runs here already (process {second.process.pid})" in another.stderr
            [node] = processes(office / "nats/n2", lambda words: "nats-server" in words[0])
            os.kill(node, signal.SIGKILL)
            second.line("nats-server n2 ended (SIGKILL)")
            second.line("nats-server n2: started again (process ")
            second.process.kill()

        port = json.loads((office / "office.json").read_bytes())["ports"]["console"]
        gone(folder)
        report = tmp_path / "report.json"
        settled = ("--headless", "--seconds", "3", "--halls", "2", "--report", str(report))
        with socket.create_server(("127.0.0.1", port)), up(folder, *settled) as third:
            assert third.ended() == 0, third.said
            assert f"port {port} is taken by another program" in third.said
            assert password not in third.said
        assert processes(folder) == []
        found = json.loads(report.read_bytes())
        assert found["told"] == found["recorded"] > 0
        assert found["true"] is True
        kept = b"".join(path.read_bytes() for path in office.glob("*.log"))
        assert password.encode() not in kept + b"".join(
            path.read_bytes() for path in office.glob("*.toml")
        )
