"""Pictures of the fleet console, for the docs: `python -m hall_tools.fleet.console_pictures DIR`.

Here: a record of many made-up halls, and a browser before it. Not here: the rows (rows.py), the
pages. Needs Playwright and a Chromium, which only a developer has, and PostgreSQL.
"""

import asyncio
import datetime as dt
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from aiohttp import web
from hall_fleet.console.app import make_app
from hall_fleet.console.settings import FleetConfig, PostgresConfig
from hall_fleet.migrate import migrate

from hall_tools.console_pictures import (
    CHROMIUM,
    PASSWORD,
    PATIENCE_MS,
    Server,
    chromium_rights,
    save,
    with_manager,
)
from hall_tools.errors import UserError
from hall_tools.fleet.postgres import Postgres
from hall_tools.fleet.rows import Company, fill

NOW = dt.datetime(2026, 11, 22, 8, 30, tzinfo=dt.UTC)
SIZES = {"phone": (360, 780), "desk": (1440, 900)}
PAGES = {
    "halls": "/",
    "wall": "/?wall",
    "hall": "/hall/hall-00003",
    "compare": "/compare?class=C",
    "refused": "/refused",
    "ingest": "/ingest",
}


async def take(folder: Path, halls: int) -> None:
    """Every page in both languages, at phone and desk size, into `folder`; prints how long each
    took to load."""
    scratch = Path(tempfile.mkdtemp(prefix="hall-fleet-"))
    try:
        os.chmod(scratch, 0o711)  # passable for the user that PostgreSQL runs as
        async with Postgres(scratch / "postgres", durable=False) as postgres:
            migrate(postgres.dsn("hall_owner"))
            with psycopg.connect(postgres.dsn("hall_owner")) as connection:
                fill(connection, Company(halls=halls, now=NOW))
            dsn = postgres.dsn("hall_console")
            await asyncio.to_thread(_take, dsn, scratch / "users.json", folder)
    finally:
        shutil.rmtree(scratch)


def _take(dsn: str, users: Path, folder: Path) -> None:
    from playwright.sync_api import sync_playwright

    def make() -> web.Application:
        config = FleetConfig(name="示范供电公司", postgres=PostgresConfig(dsn=dsn))
        return make_app(config, with_manager(users), lambda: round(NOW.timestamp() * 1000))

    with Server(make) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=chromium_rights())
        for language, locale in (("zh", "zh-CN"), ("en", "en")):
            context = browser.new_context(locale=locale)
            page = context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.goto(f"{address}/login?lang={language}")
            page.fill("[name=name]", "王经理")
            page.fill("[name=password]", PASSWORD)
            page.click("button.primary")
            page.wait_for_selector("#link.is-up", state="attached")
            for size in SIZES:
                _pictures(page, address, size, language, folder)
            context.close()
        browser.close()


def _pictures(page: Any, address: str, size: str, language: str, folder: Path) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    for name, path in PAGES.items():
        began = time.perf_counter()
        page.goto(f"{address}{path}")
        print(f"{name}-{size}-{language}: {time.perf_counter() - began:.2f} s", flush=True)
        save(page, folder, f"{name}-{size}-{language}", "", whole=size == "phone")


def main() -> None:
    if len(sys.argv) not in (2, 3) or not Path(sys.argv[1]).is_dir():
        raise UserError(f"usage: python -m {__name__} FOLDER [HALLS]; FOLDER exists", os.EX_USAGE)
    asyncio.run(take(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 10_000))


if __name__ == "__main__":
    main()
