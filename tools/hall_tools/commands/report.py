"""`hall report`: a hall's figures of a day or a month, from the gateway's store.

Here: options, the period, reading the store beside the gateway, where the output goes. Not here:
the figures (hall_gateway.figures), how they are shown (hall_tools.report).
"""

import io
import json
import os
import sqlite3
import sys
import time
from contextlib import closing
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from hall_gateway.config import GatewayConfig, load_config
from hall_gateway.figures import report as figures_of
from hall_gateway.figures import rules_of
from hall_gateway.figures_model import Report, to_json
from hall_gateway.hall_clock import HallClock
from hall_gateway.toml_input import ConfigError

from hall_tools.commands.options import HALL_TOML
from hall_tools.errors import UserError
from hall_tools.report.formats import flat_csv, markdown
from hall_tools.report.words import Lang


class Format(StrEnum):
    md = "md"
    csv = "csv"
    json = "json"
    png = "png"


class Language(StrEnum):
    zh = "zh"
    en = "en"


def report(
    config: Annotated[
        Path, typer.Option("--config", help="hall.toml, which names the store.")
    ] = HALL_TOML,
    day: Annotated[
        str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="A day of the hall.")
    ] = None,
    month: Annotated[
        str | None, typer.Option("--month", metavar="YYYY-MM", help="Or all days of a month.")
    ] = None,
    format: Annotated[
        Format, typer.Option("--format", help="md: tables; csv, json: every figure; png: charts.")
    ] = Format.md,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Default: standard output.")
    ] = None,
    lang: Annotated[Language, typer.Option("--lang", help="Of md and png.")] = Language.zh,
) -> None:
    """Report satisfaction, waits, handling, footfall and how busy windows were.

    The gateway may run meanwhile. A day goes from one nightly reset to the next.

        hall report --day 2026-11-21
        hall report --month 2026-11 --format png --out november.png
    """
    try:
        settings = load_config(config)
    except ConfigError as error:
        raise UserError(str(error), os.EX_CONFIG) from None
    now = time.time_ns() // 1_000_000
    count = settings.occupancy
    first, last = _period(HallClock(count.reset_hour, count.utc_offset_min), day, month, now)
    if format is Format.png and out is None and sys.stdout.isatty():
        raise UserError("a picture is nothing for a terminal; give --out FILE.png", os.EX_USAGE)
    found = _read(settings, first, last, now)
    content = _content(found, format, lang.value)
    try:
        if out is None:
            sys.stdout.buffer.write(content)
            sys.stdout.flush()
            return
        out.write_bytes(content)
    except BrokenPipeError:
        raise  # whoever reads has seen enough
    except OSError as error:
        where = out or "standard output"
        raise UserError(f"{where}: {error.strerror}; name another file", os.EX_CANTCREAT) from None
    print(f"{out}: {len(content):,} bytes", file=sys.stderr)


def _period(clock: HallClock, day: str | None, month: str | None, now: int) -> tuple[int, int]:
    """Unix ms of the beginning and the end of what was asked for."""
    if (day is None) == (month is None):
        raise UserError("give either --day YYYY-MM-DD or --month YYYY-MM", os.EX_USAGE)
    if day is not None:
        first, last = clock.day(_date(day, "%Y-%m-%d", "--day", "2026-11-21"))
    else:
        begins = _date(month or "", "%Y-%m", "--month", "2026-11")
        following = date(begins.year + begins.month // 12, begins.month % 12 + 1, 1)
        first, last = clock.day(begins)[0], clock.day(following)[0]
    if first > now:
        when = clock.text(first)
        raise UserError(f"{day or month}: it has not begun; it will at {when} of the hall's clock")
    return first, last


def _date(text: str, pattern: str, option: str, example: str) -> date:
    try:
        found = datetime.strptime(text, pattern).date()  # noqa: DTZ007 (a date has no zone)
    except ValueError:
        raise UserError(
            f'{option} "{text}": no date; write it like {example}', os.EX_USAGE
        ) from None
    if not 1970 <= found.year < 9999:
        raise UserError(f'{option} "{text}": give a year from 1970 to 9998', os.EX_USAGE)
    return found


def _read(settings: GatewayConfig, first: int, last: int, now: int) -> Report:
    path = settings.store.path
    if not path.exists():
        raise UserError(
            f"{path}: there is no store yet; the gateway makes it when it runs", os.EX_NOINPUT
        )
    # Without a log nobody has it open; then SQLite would make one, and leave it.
    alone = not path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.resolve().as_uri()}?{'immutable=1' if alone else 'mode=ro'}"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN")  # one moment of the store, whatever the gateway commits
            return figures_of(connection, rules_of(settings), first, last, now)
    except sqlite3.Error as error:
        if "no such table" in str(error):
            text = "an older hallkit wrote it; start the gateway once, and it is brought up to date"
            raise UserError(f"{path}: {text}", os.EX_DATAERR) from None
        raise UserError(f"{path}: {error}; see: hall doctor", os.EX_NOINPUT) from None


def _content(found: Report, format: Format, lang: Lang) -> bytes:
    match format:
        case Format.md:
            return markdown(found, lang).encode()
        case Format.csv:
            # The mark tells spreadsheets that it is UTF-8.
            return flat_csv(found).encode("utf-8-sig")
        case Format.json:
            return json.dumps(to_json(found), ensure_ascii=False, indent=2).encode() + b"\n"
        case Format.png:
            return _png(found, lang)


def _png(found: Report, lang: Lang) -> bytes:
    from hall_tools.report import charts

    if lang == "zh" and charts.chinese_font() is None:
        lang = "en"
        note = "no Chinese font on this machine, so the labels are in English; Debian has one:"
        print(f"{note} apt install fonts-wqy-microhei", file=sys.stderr)
    file = io.BytesIO()
    charts.picture(found, lang, file)
    return file.getvalue()
