"""Pictures of every page of the console, for the docs: `python -m hall_tools.console_pictures DIR`.

Here: the pictures, by a browser. Not here: the day that they show (console_story.py), the pages.
Needs Playwright and a Chromium, which only a developer has.
"""

import asyncio
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from aiohttp import web
from hall_gateway.console.app import make_app
from hall_gateway.console.current import Current
from hall_gateway.console.users import Users
from PIL import Image

from hall_tools.console_stage import Stage
from hall_tools.console_story import OPENS, Day, Hands, settings
from hall_tools.errors import UserError
from hall_tools.ports import free_port

CHROMIUM = "/usr/bin/chromium"
PASSWORD = "a password for pictures"
SIZES = {"phone": (360, 780), "wall": (1920, 1080)}
PATIENCE_MS = 60_000
LONGEST = 1800
"""Pixels of a page that is longer than its screen."""
PAGES = {
    "live": "/",
    "figures": "/figures",
    "alerts": "/alerts",
    "devices": "/devices",
    "webhooks": "/webhooks",
}


class Server:
    """`with Server(make) as address:` the console that `make` makes serves inside, in a thread."""

    def __init__(self, make: Callable[[], web.Application]) -> None:
        self._make = make

    def __enter__(self) -> str:
        started: Future[str] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(started)))
        self._thread.start()
        return started.result(20)

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    async def _run(self, started: "Future[str]") -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(self._make(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            port = free_port()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            started.set_result(f"http://127.0.0.1:{port}")
            await self._stop.wait()
        finally:
            await runner.cleanup()


@contextmanager
def furnished(folder: Path) -> Generator[tuple[Stage, str]]:
    """The hall after its day, and the address of its console."""
    file, hands = settings(folder), Hands(OPENS)
    with Stage(file, hands) as stage:
        Day(stage, hands).run()
        hands.go()
        with Server(lambda: _console(file, hands)) as address:
            yield stage, address


def _console(file: Path, clock: Callable[[], int]) -> web.Application:
    current = Current(file)
    return make_app(current, with_manager(current.config.console.users(file)), clock)


def with_manager(file: Path) -> Users:
    """Whom the pictures are taken for, in a new file."""
    users = Users(file)
    users.add("王经理", "technician", PASSWORD)
    return users


def take(folder: Path, only: str = "") -> None:
    """Every page in both languages, at phone and wall size, into `folder`. `only`: file names that
    begin so."""
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory(prefix="hall-console-") as scratch,
        furnished(Path(scratch)) as (_, address),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=chromium_rights())
        for language in ("zh", "en"):
            for size in SIZES:
                _pictures(browser, address, language, size, folder, only)
        browser.close()


def _pictures(
    browser: Any, address: str, language: str, size: str, folder: Path, only: str
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale="zh-CN" if language == "zh" else "en"
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{address}/login?lang={language}")
    save(page, folder, f"login-{size}-{language}", only, whole=False)
    page.fill("[name=name]", "王经理")
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    page.wait_for_selector("#link.is-up")
    for name, path in PAGES.items():
        wall = "?wall" if (name, size) == ("live", "wall") else ""
        page.goto(f"{address}{path}{wall}")
        save(page, folder, f"{name}-{size}-{language}", only, whole=size == "phone")
    context.close()


def save(page: Any, folder: Path, name: str, only: str, *, whole: bool) -> None:
    if not name.startswith(only):
        return
    height = page.evaluate("document.documentElement.scrollHeight") if whole else 0
    size = page.viewport_size
    clip = {"x": 0, "y": 0, "width": size["width"]}
    clip["height"] = max(size["height"], min(height, LONGEST))
    picture = Image.open(BytesIO(page.screenshot(full_page=True, clip=clip)))
    picture.convert("RGB").save(folder / f"{name}.png", optimize=True)


def chromium_rights() -> list[str]:
    """Chromium's sandbox does not start as root."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []


def main() -> None:
    if len(sys.argv) not in (2, 3) or not Path(sys.argv[1]).is_dir():
        raise UserError(f"usage: python -m {__name__} FOLDER [NAME]; FOLDER exists", os.EX_USAGE)
    take(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) == 3 else "")


if __name__ == "__main__":
    main()
