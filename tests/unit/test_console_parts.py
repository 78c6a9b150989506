"""The console's parts: passwords, waits, words, charts, and reading a store that another has."""

import asyncio
import re
import sqlite3
import stat
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from hall_gateway.config import load_config
from hall_gateway.console.charts import Series, columns, nice_step
from hall_gateway.console.figures_view import asked
from hall_gateway.console.known import cookie_for, number_of
from hall_gateway.console.once import Once
from hall_gateway.console.pictures import Pictures, seen
from hall_gateway.console.reading import ReadError, reading
from hall_gateway.console.rendering import own_path
from hall_gateway.console.throttle import FREE_ACCOUNT, FREE_ADDRESS, MOST_S, Throttle
from hall_gateway.console.users import User, Users, UsersError
from hall_gateway.console.words import Words, preferred, texts
from hall_gateway.hall_clock import HallClock
from hall_gateway.schema import open_store
from hall_gateway.state import Desired
from hall_gateway.store_hall import DeviceRow
from hall_gateway.toml_input import ConfigError
from support.console import PASSWORD, QUICK, write_settings

PLACEHOLDER = re.compile(r"\{(\w+)\}")
ROOM = files("hall_gateway.console")


# Words


def test_every_text_has_both_languages_and_the_same_values() -> None:
    for name, text in texts().items():
        assert set(text) in ({"zh", "en"}, {"zh", "en", "en1"}), name
        assert all(each.strip() for each in text.values()), name
        values = set(PLACEHOLDER.findall(text["zh"]))
        assert values == set(PLACEHOLDER.findall(text["en"])), name
        assert not set(PLACEHOLDER.findall(text.get("en1", ""))) - values, name


def test_every_text_that_is_named_is_there() -> None:
    sources = [*(ROOM / "templates").iterdir(), *(f for f in ROOM.iterdir() if f.is_file())]
    used = set[str]()
    for source in sources:
        used |= set(re.findall(r"""\bt\(f?["']([a-z_0-9]+\.[a-z_0-9]+)["']\s*[,)]""",
                               source.read_text(encoding="utf-8")))  # fmt: skip
    assert len(used) > 100
    assert used <= set(texts())


def test_times_are_the_halls() -> None:
    t = Words("en", 480)
    noon = 1_800_000_000_000  # 2027-01-15 16:00 in China
    assert t.clock(noon) == "16:00"
    assert t.moment(noon - 86_400_000, noon) == "01-14 16:00"
    assert t.moment(noon - 20 * 86_400_000, noon) == "2026-12-26 16:00"
    assert t.instant("2027-01-15T08:00:05Z", noon) == "16:00:05"
    assert t.instant("<b>", noon) == "<b>"
    assert [t.lasting(s) for s in (5, 60, 95, 3700, 90_000)] == [
        "5 s", "1 min", "1 min 35 s", "1 h 1 min", "1 d 1 h"
    ]  # fmt: skip
    assert t("alerts.times", n=1) == "told once"
    assert Words("zh", 480)("alerts.times", n=1) == "已提醒 1 次"


@pytest.mark.parametrize(
    ("asks", "language"),
    [("", "zh"), ("de,fr", "zh"), ("en-US,en;q=0.9", "en"), ("zh-TW,en", "zh"), ("de,en", "en")],
)
def test_the_browsers_language(asks: str, language: str) -> None:
    assert preferred(asks) == language


# Users and waits


def test_users_are_for_their_owner_alone(tmp_path: Path) -> None:
    users = Users(tmp_path / "users.json", QUICK)
    users.add("王", "manager", PASSWORD)
    assert stat.S_IMODE(users.path.stat().st_mode) == 0o600
    assert PASSWORD not in users.path.read_text()
    assert PASSWORD not in repr(users.get("王"))
    assert "argon2id" not in repr(users.get("王"))
    users.path.chmod(0o640)
    with pytest.raises(UsersError, match="chmod 600"):
        Users(users.path, QUICK).all()


def test_passwords_are_checked(tmp_path: Path) -> None:
    users = Users(tmp_path / "users.json", QUICK)
    for name, password, why in (
        ("a", "short", "10 to 256"),
        ("abcdefghij", "ABCDEFGHIJ", "is the name"),
        (" a", PASSWORD, "printable"),
        ("", PASSWORD, "printable"),
    ):
        with pytest.raises(UsersError, match=why):
            users.add(name, "viewer", password)
    users.add("a", "viewer", PASSWORD)
    with pytest.raises(UsersError, match="there already"):
        users.add("a", "manager", PASSWORD)
    with pytest.raises(UsersError, match="hall console user list"):
        users.remove("b")
    assert users.verify("a", "wrong") is None
    assert users.verify("b", PASSWORD) is None
    found = users.verify("a", PASSWORD)
    assert found is not None
    before = found.mark
    users.set_password("a", "another password")
    changed = users.get("a")
    assert changed is not None
    assert changed.mark != before


@pytest.mark.parametrize(
    "content", ["", "[]", '{"users":[{"name":1}]}', '{"users":[{"role":"x"}]}']
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "users.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(UsersError, match="is not a file of hall console user"):
        Users(path, QUICK).all()


def test_waits_grow_and_end() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for _ in range(FREE_ACCOUNT):
        throttle.wrong("a", "here")
    assert throttle.wait_s("a", "here") == 0.0
    waits: list[float] = []
    for _ in range(8):
        throttle.wrong("a", "here")
        waits.append(throttle.wait_s("a", "elsewhere"))
        now[0] += waits[-1]
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, MOST_S, MOST_S, MOST_S]
    assert throttle.wait_s("b", "elsewhere") == 0.0
    throttle.right("a", "here")
    assert throttle.wait_s("a", "elsewhere") == 0.0


def test_strangers_do_not_keep_a_known_browser_out() -> None:
    throttle = Throttle(lambda: 0.0)
    for _ in range(FREE_ADDRESS + 1):
        throttle.wrong("王", "there")
    assert throttle.wait_s("王", "there") > 0.0
    assert throttle.wait_s("王", "there", "its number") == 0.0
    for _ in range(FREE_ACCOUNT + 1):
        throttle.wrong("王", "here", "its number")
    assert throttle.wait_s("王", "here", "its number") > 0.0
    throttle.right("王", "here", "another")
    assert throttle.wait_s("王", "there") > 0.0


def test_a_browser_is_known_until_the_password_changes() -> None:
    user = User("王", "manager", "hash")
    cookie = cookie_for(user)
    assert number_of(cookie, user) == cookie.partition(".")[0]
    assert number_of(cookie, replace(user, hash="another")) is None
    assert number_of(cookie, replace(user, name="李")) is None
    assert number_of(f"other{cookie}", user) is None
    assert number_of(cookie, None) is None


def test_an_own_password_does_not_clear_an_address() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(FREE_ADDRESS + 2):
        throttle.wrong(f"user{number}", "here")
    throttle.wrong("me", "here")
    throttle.right("me", "here")
    assert throttle.wait_s("somebody", "here") > 0.0


def test_one_address_cannot_try_many_accounts() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(FREE_ADDRESS + 1):
        throttle.wrong(f"user{number}", f"fd00::{number:x}")
    assert throttle.wait_s("somebody", "fd00::ffff") > 0.0
    assert throttle.wait_s("somebody", "fd00:0:0:1::1") == 0.0
    for number in range(FREE_ADDRESS + 1):
        throttle.wrong(f"user{number}", "here")
    assert throttle.wait_s("somebody", "here") > 0.0
    assert throttle.wait_s("somebody", "elsewhere") == 0.0


# Settings


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('host = "0.0.0.0"', "passwords would cross the network in the clear"),
        ('cert_file = "a.pem"', "belong together"),
        ('origin = "https://a.example/b"', "a scheme and a host without a path"),
        ('origin = "http://hall.example"', "passwords would cross the network in the clear"),
        ('origin = "https://a"\ncert_file = "c"\nkey_file = "k"', "for a reverse proxy"),
        ("idle_min = 1", "5 to 720"),
    ],
)
def test_unsafe_settings_are_refused(tmp_path: Path, table: str, why: str) -> None:
    path = write_settings(tmp_path, 8080)
    path.write_text(path.read_text().replace("port = 8080", table))
    with pytest.raises(ConfigError, match=why):
        load_config(path)


def test_an_origin_is_as_browsers_write_it(tmp_path: Path) -> None:
    path = write_settings(tmp_path, 8080)
    origin = 'origin = "https://Hall.Example:443"'
    path.write_text(path.read_text().replace("port = 8080", origin))
    assert load_config(path).console.origin == "https://hall.example"


def test_the_console_needs_no_secrets(tmp_path: Path) -> None:
    path = write_settings(tmp_path, 8080)
    path.write_text(path.read_text() + '[staff]\nfile = "staff.json"\n')
    assert load_config(path, secrets=False).staff is not None
    with pytest.raises(ConfigError, match="staff"):
        load_config(path)


# Reading


def test_a_store_is_only_read(tmp_path: Path) -> None:
    path = tmp_path / "hall.db"
    with pytest.raises(ReadError, match="is not there"), reading(path):
        pass
    owner = open_store(path, 16)
    owner.execute("INSERT INTO windows VALUES ('1', '{}')")
    with reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM windows").fetchone() == (1,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM windows")
    owner.close()
    before = sorted(tmp_path.iterdir())
    with reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM windows").fetchone() == (1,)
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(ReadError, match="another version"), reading(path) as connection:
        connection.execute("SELECT * FROM not_yet")
    path.write_bytes(b"x" * 8192)
    with pytest.raises(ReadError, match="hall doctor"), reading(path) as connection:
        connection.execute("SELECT * FROM windows")


async def test_many_who_ask_at_once_are_one_reading() -> None:
    read: list[int] = []
    once = Once[int](2)

    def reads() -> int:
        read.append(1)
        return len(read)

    assert await asyncio.gather(*(once.get("a", reads) for _ in range(20))) == [1] * 20
    assert await once.get("b", reads) == 2
    assert await once.get("c", reads) == 3
    assert await once.get("a", reads) == 4  # the oldest made way

    def fails() -> int:
        raise ReadError("away")

    for _ in range(2):
        with pytest.raises(ReadError):
            await once.get("d", fails)
    assert await once.get("d", reads) == 5


# Displays


def test_what_a_person_sees_on_a_display() -> None:
    t = Words("en", 480)
    call = Desired("d", 5, {"view": "call", "ticket": "A1", "window": "2", "ttl_s": 30})

    def at(online: bool, seen_ago_s: int, state: str | None) -> tuple[str, str]:
        row = DeviceRow(online, 1_000_000 - seen_ago_s * 1000, state)
        what = seen(call, row, 30, 1_000_000, t)
        return what.sure, what.text

    assert at(True, 1, '{"rev":5,"shows":{"view":"call"}}') == ("shown", "请A1号到2窗口")
    assert at(True, 1, '{"rev":4,"shows":{"view":"idle"}}') == ("sent", "请A1号到2窗口")
    assert at(True, 1, '{"rev":5,"shows":{"view":"wait"}}') == ("stale", "请稍候")
    assert at(False, 29, None) == ("sent", "请A1号到2窗口")
    assert at(False, 31, None) == ("stale", "请稍候")
    assert seen(call, None, 30, 0, t).sure == "unknown"


def test_a_picture_is_drawn_for_what_a_display_refuses(tmp_path: Path) -> None:
    config = load_config(write_settings(tmp_path, 8080))
    pictures = Pictures()
    device = config.devices[0]
    drawn = {
        pictures.png(pictures.key(config, device, view, 0))
        for view in ({"view": "wait"}, {"view": "closed"}, {"view": "text", "text": ""})
    }
    assert len(drawn) >= 2
    assert all(png is not None and png.startswith(b"\x89PNG") for png in drawn)
    assert pictures.png("0" * 24) is None


# Charts and periods


def test_columns_stand_on_their_axis() -> None:
    chart = columns(["8:00", "9:00"], [Series("a", [3, None]), Series("b", [10, 7])])
    assert chart is not None
    assert [c.text for c in chart.columns] == ["8:00 a: 3", "8:00 b: 10", "9:00 b: 7"]
    for column in chart.columns:
        assert column.y + column.height == pytest.approx(chart.bottom, abs=0.02)
        assert chart.left <= column.x
        assert column.x + column.width <= chart.right
    assert [mark.text for mark in chart.scale] == ["0", "2.5", "5", "7.5", "10"]
    assert columns([], []) is None
    assert columns(["8:00"], [Series("a", [None])]) is None


@pytest.mark.parametrize(
    ("least", "step"), [(0.0, 0.1), (0.3, 0.5), (1, 1), (1.2, 2), (2.1, 2.5), (26, 50), (51, 100)]
)
def test_steps_are_round(least: float, step: float) -> None:
    assert nice_step(least) == pytest.approx(step)


def test_a_period_is_a_day_or_a_month_of_the_hall() -> None:
    clock, now = HallClock(3, 480), 1_800_000_000_000
    day = asked({}, clock, now)
    assert (day.kind, day.value, day.before, day.after) == (
        "day", "2027-01-15", "2027-01-14", "2027-01-16"
    )  # fmt: skip
    assert day.to_ms - day.from_ms == 86_400_000
    month = asked({"month": "2026-12"}, clock, now)
    assert (month.value, month.before, month.after) == ("2026-12", "2026-11", "2027-01")
    assert month.to_ms - month.from_ms == 31 * 86_400_000
    for nonsense in ("x", "2026-02-30", "0001-01-01", "9999-12-31", "20261-1-1"):
        assert asked({"day": nonsense}, clock, now) == day
    assert asked({"month": "x"}, clock, now).value == "2027-01"


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("http://here/alerts?a=1", "/alerts?a=1"),
        ("/devices", "/devices"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("http://[", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\nb", "/ab"),
    ],
)
def test_a_way_back_stays_here(address: str, path: str) -> None:
    assert own_path(address, "/") == path
