"""`hall report`: each format, both languages, and what is said when there is nothing to report."""

import asyncio
import csv
import io
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.facts import Facts
from hall_gateway.figures_model import BusinessFigures, Report, to_json
from hall_gateway.hall_clock import HallClock
from hall_gateway.kpi_services import Period, Rules
from hall_gateway.kpis import compute
from hall_tools.cli import app
from hall_tools.errors import UserError
from hall_tools.report import charts
from hall_tools.report.formats import flat_csv, markdown
from hall_tools.report.words import duration, percent
from PIL import Image
from support.hall_days import DAY, HOUR, HallDays
from typer.testing import CliRunner

MIDNIGHT = 1_763_000_000_000 // DAY * DAY + 16 * HOUR
"""2025-11-14 on the hall's clock."""

SETTINGS = """
hall = "demo"
[store]
path = "hall.db"
[broker]
mode = "embedded"
[upstream]
host = "127.0.0.1"
[figures]
class = "D"
"""


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a hall that was open for two days."""
    folder = tmp_path_factory.mktemp("hall")
    (folder / "hall.toml").write_text(SETTINGS, encoding="utf-8")
    asyncio.run(HallDays(folder, seed=3, first_midnight=MIDNIGHT, customers=25).run(2))
    return folder


def run(hall: Path, *arguments: str) -> Any:
    result = CliRunner().invoke(app, ["report", "--config", str(hall / "hall.toml"), *arguments])
    assert result.exit_code == 0, result.output
    return result


def refused(hall: Path, *arguments: str) -> UserError:
    result = CliRunner().invoke(app, ["report", "--config", str(hall / "hall.toml"), *arguments])
    assert isinstance(result.exception, UserError), result.output
    return result.exception


def test_markdown_in_chinese_and_english(hall: Path) -> None:
    text = run(hall, "--day", "2025-11-14").stdout
    assert text.startswith("# 服务大厅报表 demo 2025-11-14 (大厅等级 D)\n")
    for word in [
        "满意率",
        "参评率",
        "提示率",
        "等候",
        "办理",
        "超时率",
        "弃号率",
        "繁忙度",
        "客流高峰",
    ]:
        assert word in text
    text = run(hall, "--month", "2025-11", "--lang", "en").stdout
    assert text.startswith("# Service hall report demo 2025-11-01 – 2025-11-30 (class D)\n")
    assert "| Days open | 3 |" in text


def test_csv_has_what_json_has(hall: Path) -> None:
    body = json.loads(run(hall, "--day", "2025-11-14", "--format", "json").stdout)
    assert body["tickets"]["taken"] > 10
    content = run(hall, "--day", "2025-11-14", "--format", "csv").stdout_bytes
    rows = dict(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert rows["tickets.taken"] == str(body["tickets"]["taken"])
    for window in body["windows"]:
        median = rows[f"windows[{window['window']}].service.wait.median_ms"]
        expected = window["service"]["wait"]["median_ms"]
        assert median == ("" if expected is None else str(expected))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_charts_are_a_picture(hall: Path, tmp_path: Path, lang: str) -> None:
    out = tmp_path / "day.png"
    run(hall, "--day", "2025-11-14", "--format", "png", "--lang", lang, "--out", str(out))
    with Image.open(out) as picture:
        assert picture.size == (1540, 990)
        # The bars of all charts, and an interval's mark, are there.
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or ()}
    for name in (charts._BLUE, charts._SKY, charts._ORANGE, charts._GREEN):
        assert tuple(bytes.fromhex(name[1:])) in colours


def test_without_a_chinese_font_labels_are_english(
    hall: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts, "FONTS", ("No Such Font",))
    out = tmp_path / "day.png"
    result = run(hall, "--day", "2025-11-14", "--format", "png", "--out", str(out))
    assert "so the labels are in English; Debian has one: apt install fonts-wqy" in result.stderr


def test_a_day_on_which_nothing_happened(hall: Path, tmp_path: Path) -> None:
    text = run(hall, "--day", "2024-02-29").stdout
    assert "| 满意率 | — | 0 / 0 |" in text
    assert "没有这段时间的任何数据" in text
    out = tmp_path / "empty.png"
    run(hall, "--day", "2024-02-29", "--format", "png", "--out", str(out))
    assert out.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 64, "give either --day YYYY-MM-DD or --month YYYY-MM"),
        (["--day", "2025-11-14", "--month", "2025-11"], 64, "give either --day"),
        (["--day", "14.11.2025"], 64, '--day "14.11.2025": no date; write it like 2026-11-21'),
        (["--day", "2025-02-30"], 64, '--day "2025-02-30": no date'),
        (["--month", "2025-13"], 64, '--month "2025-13": no date; write it like 2026-11'),
        (["--day", "1066-10-14"], 64, "give a year from 1970 to 9998"),
        (["--day", "2999-01-01"], 65, "2999-01-01: it has not begun; it will at 2999-01-01 03:00"),
        (["--day", "2025-11-14", "--out", "/nowhere/x.md"], 73, "/nowhere/x.md: No such file"),
    ],
)
def test_what_is_wrong_is_said(hall: Path, arguments: list[str], code: int, text: str) -> None:
    error = refused(hall, *arguments)
    assert error.exit_code == code
    assert text in str(error)


def test_a_store_that_is_not_there_or_too_old(tmp_path: Path) -> None:
    (tmp_path / "hall.toml").write_text(SETTINGS, encoding="utf-8")
    there_is_none = refused(tmp_path, "--day", "2025-11-14")
    assert "there is no store yet; the gateway makes it when it runs" in str(there_is_none)
    assert not (tmp_path / "hall.db").exists()
    with closing(sqlite3.connect(tmp_path / "hall.db")) as connection:
        connection.execute("CREATE TABLE meta (key, value)")
    old = refused(tmp_path, "--day", "2025-11-14")
    assert "an older hallkit wrote it; start the gateway once" in str(old)
    (tmp_path / "hall.db").write_bytes(b"no database" * 1000)
    assert "file is not a database" in str(refused(tmp_path, "--day", "2025-11-14"))


def _empty() -> Report:
    return compute(Facts(), Rules("demo", HallClock()), Period(MIDNIGHT, MIDNIGHT + DAY, MIDNIGHT))


def test_names_stay_text() -> None:
    """Names of businesses, clerks and windows come from whoever sends commands."""
    empty = _empty()
    evil = "=cmd|'/c calc'!A1<script>"
    found = replace(empty, business=(BusinessFigures(evil, 60_000, empty.service),))
    assert r"| =cmd\|'/c calc'!A1\<script\> |" in markdown(found, "en")
    assert flat_csv(replace(found, hall="=1+1")).splitlines()[1] == "hall,'=1+1"
    charts.picture(replace(found, hall="$x_{"), "en", io.BytesIO())
    json.dumps(to_json(found))


def test_a_period_that_goes_on_says_so() -> None:
    assert "Not over: as of 2025-11-14 00:00." in markdown(_empty(), "en")


def test_numbers_are_written_as_they_are() -> None:
    shares = [percent(each) for each in (None, 0.0, 0.9333, 1.0)]
    assert shares == ["—", "0.00%", "93.33%", "100.00%"]
    spans = [duration(each) for each in (None, 0, 59_499, 59_500, 3_600_000, 3_661_000)]
    assert spans == ["—", "0:00", "0:59", "1:00", "1:00:00", "1:01:01"]
