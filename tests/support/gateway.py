"""A real `hall gateway run` process for a test: its settings, start, stop, kill.

Only the process belongs here, and a small hall to configure it with. Brokers are in
`support.mosquitto`, the clients that play devices and the hall system in `support.paho_client`.
"""

from __future__ import annotations

import queue
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from support.warm import PROGRAM, Warm

START_S = 60.0
STOP_S = 45.0

HALL = "demo"

SMALL_HALL = """
[[window]]
id = "1"
name = "综合业务"
[[window]]
id = "2"
[[device]]
id = "disp-1"
profile = "call-display-p10-64x16"
window = "1"
[[device]]
id = "kp-1"
profile = "keypad-5"
window = "1"
[[device]]
id = "disp-2"
profile = "call-display-f375-64x32"
window = "2"
[[device]]
id = "count-1"
profile = "people-counter-beams"
zone = "entrance"
[[device]]
id = "floor-1"
profile = "wet-floor-mains"
zone = "entrance"
"""
"""Two windows, two displays, a keypad at window 1, a people counter, and a wet-floor sensor."""


class Gateway:
    """One gateway with its settings and store in `folder`; `with` starts and stops it.

    `broker_port` is the device side's broker, `upstream_port` the hall system's (the same when
    left out). `tables` is the TOML of windows, devices and further tables; `store` adds to
    [store] and `broker` to [broker]. `program` is Python, run in place of `hall`. A killed gateway
    is started again with the same store.
    """

    def __init__(
        self,
        folder: Path,
        broker_port: int,
        *,
        upstream_port: int | None = None,
        tables: str = SMALL_HALL,
        store: Mapping[str, int] | None = None,
        embedded: bool = False,
        program: str = PROGRAM,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "gateway.toml"
        self.store = folder / "hall.db"
        self._folder = folder
        self._program = program
        self._process: subprocess.Popen[str] | Warm | None = None
        # A test's services take no time, and one clerk's customers all press at once.
        rating = "" if "[rating]" in tables else "[rating]\nmin_service_s = 0\nfast_run = 0\n"
        extra = "\n".join(f"{name} = {value}" for name, value in (store or {}).items())
        self.config.write_text(
            f'hall = "{HALL}"\n'
            f'[store]\npath = "hall.db"\n{extra}\n'
            f'[broker]\nmode = "{"embedded" if embedded else "external"}"\nport = {broker_port}\n'
            f"[upstream]\nport = {upstream_port or broker_port}\n{rating}{tables}",
            encoding="utf-8",
        )

    @property
    def log(self) -> str:
        """What the gateway has written to stderr so far, over all its starts."""
        path = self._folder / "gateway.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None, "the gateway is not running"
        return self._process.pid

    def start(self) -> str:
        """Start it; returns its ready line, which comes when devices can reach it."""
        self.launch()
        lines: queue.Queue[str] = queue.Queue()
        assert self._process is not None
        stdout = self._process.stdout
        assert stdout is not None
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=START_S)
        except queue.Empty:
            line = ""
        if not line.startswith("ready: "):
            self.kill()
            raise AssertionError(f"the gateway did not get ready: {self.log}")
        return line

    def launch(self) -> None:
        """Start it without waiting until it is ready."""
        assert self._process is None, "the gateway is already running"
        arguments = ["gateway", "run", "--config", str(self.config)]
        with (self._folder / "gateway.log").open("ab") as log:
            if self._program == PROGRAM:
                self._process = Warm(arguments, log)
            else:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", self._program, *arguments],
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )

    def await_log(self, text: str, seconds: float = START_S) -> None:
        """Wait until the gateway has written `text` to stderr."""
        deadline = time.monotonic() + seconds
        while text not in self.log:
            self.assert_running()
            assert time.monotonic() < deadline, f"not in the log: {text}\n{self.log}"
            time.sleep(0.02)

    def assert_running(self) -> None:
        assert self._process is not None, "the gateway was not started"
        assert self._process.poll() is None, f"the gateway ended: {self.log}"

    def wait(self, seconds: float = STOP_S) -> int:
        """Wait until it has ended by itself; its exit code."""
        process, self._process = self._process, None
        assert process is not None, "the gateway is not running"
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the gateway did not end: {self.log}") from None
        finally:
            if process.stdout is not None:
                process.stdout.close()

    def stop(self) -> int:
        """End it as a service manager would (SIGTERM); its exit code."""
        self.terminate()
        return self.wait()

    def terminate(self) -> None:
        """Ask it to end, and do not wait for it."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._signal(signal.SIGKILL)
        self.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the gateway is not running"
        self._process.send_signal(number)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of the store, read while the gateway runs or after it was killed."""
        connection = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def __enter__(self) -> Gateway:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self.stop()
