"""A real `hall console run` process beside a gateway on a stage, and a browser in front of it.

Here: starting and stopping them, and logging in. Not here: what a test looks for.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from argon2 import PasswordHasher
from hall_gateway.console.users import Users
from hall_tools.console_pictures import CHROMIUM, chromium_rights
from hall_tools.console_stage import Stage
from hall_tools.ports import free_port
from playwright.sync_api import Browser, Page, expect, sync_playwright

from support.warm import PROGRAM

START_S = 60.0
STOP_S = 30.0
PAGE_S = 60.0
"""A browser, a console and a gateway share two cores with whatever else is tested there."""
PASSWORD = "correct horse battery"
PEOPLE = {"看": "viewer", "王经理": "manager", "tech": "technician"}

TABLES = """
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
id = "sign"
profile = "call-display-p10-128x16"
zone = "entrance"
[[device]]
id = "count-1"
profile = "people-counter-beams"
zone = "entrance"
[[device]]
id = "floor-1"
profile = "wet-floor-mains"
zone = "entrance"
"""

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""A test's passwords protect nothing. How hard they are stands in the hash."""


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


def write_settings(folder: Path, port: int, tables: str = TABLES) -> Path:
    path = folder / "hall.toml"
    path.write_text(
        f'hall = "demo"\n[store]\npath = "hall.db"\n[upstream]\n'
        "[rating]\nmin_service_s = 0\nfast_run = 0\ninterval_s = 0\n"
        f"[console]\nport = {port}\n{tables}",
        encoding="utf-8",
    )
    return path


def write_users(settings: Path) -> Users:
    """PEOPLE, all with PASSWORD."""
    users = Users(settings.with_name("console-users.json"), QUICK)
    for name, role in PEOPLE.items():
        users.add(name, role, PASSWORD)  # pyright: ignore[reportArgumentType]
    return users


class ConsoleProcess:
    """`with ConsoleProcess(settings) as console:` it runs inside; `address` has no slash.
    `program` is run in place of `hall`."""

    def __init__(self, settings: Path, program: str = PROGRAM) -> None:
        self._settings = settings
        self._program = program
        self.address = ""

    def __enter__(self) -> ConsoleProcess:
        with self._settings.with_suffix(".log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", self._program, "console", "run", "--config", self._settings],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        lines: queue.Queue[str] = queue.Queue()
        stdout = self._process.stdout
        assert stdout is not None
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        line = lines.get(timeout=START_S)
        assert line.startswith("ready: http"), self.log
        self.address = line.split()[1].rstrip("/")
        return self

    @property
    def log(self) -> str:
        return self._settings.with_suffix(".log").read_text(errors="replace")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            assert self._process.wait(STOP_S) == 0, self.log
        finally:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()


class Visit:
    """A hall with its console, and people who look at it. `stage` is the gateway."""

    def __init__(self, stage: Stage, console: ConsoleProcess, browser: Browser) -> None:
        self.stage = stage
        self.console = console
        self.address = console.address
        self._browser = browser
        self._states: dict[str, Any] = {}

    def page(
        self, name: str | None, path: str = "/", *, lang: str = "zh", width: int = 1280
    ) -> Page:
        """`path`, as `name` sees it after logging in; nobody is logged in for None."""
        size = {"width": width, "height": 800}
        context = self._browser.new_context(
            viewport=size, storage_state=self._states.get(name or ""), locale=lang
        )
        page = context.new_page()
        page.set_default_timeout(PAGE_S * 1000)
        page.on("pageerror", lambda error: self._states.setdefault("!", []).append(str(error)))
        if name is not None and name not in self._states:
            self.log_in(page, name)
            self._states[name] = context.storage_state()
        page.goto(f"{self.address}{path}{'&' if '?' in path else '?'}lang={lang}")
        return page

    def log_in(self, page: Page, name: str, password: str = PASSWORD) -> None:
        page.goto(f"{self.address}/login")
        page.fill("[name=name]", name)
        page.fill("[name=password]", password)
        page.click("button.primary")
        page.wait_for_selector("#link.is-up")

    @property
    def script_errors(self) -> list[str]:
        return self._states.get("!", [])


@contextmanager
def visited(folder: Path) -> Generator[Visit]:
    """The small hall with all its devices online."""
    expect.set_options(timeout=PAGE_S * 1000)
    settings = write_settings(folder, free_port())
    write_users(settings)
    with Stage(settings, unix_ms) as stage:
        for device in ("disp-1", "kp-1", "sign", "count-1", "floor-1"):
            stage.online(device)
            stage.state(device)
        with ConsoleProcess(settings) as console, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=chromium_rights())
            yield Visit(stage, console, browser)
            browser.close()
