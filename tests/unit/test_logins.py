"""Cards and PINs at a keypad's reader: who logs in, what is told, and what is never told."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hall_gateway.config import load_config
from hall_gateway.keypads import Heard
from hall_gateway.logins import LOCKED_MS, WRONG_PINS
from hall_gateway.staff import Member, Staff, read_staff
from hall_gateway.state import Emit, Order
from hall_gateway.toml_input import ConfigError
from hall_profiles import load
from hall_tools.cli import app
from hall_tools.errors import UserError
from support.core_hall import PLAN, Device, open_hall
from support.windows import Run
from typer.testing import CliRunner

STAFF = Staff(key="0f" * 16, staff=[Member(id="王芳", cards=["26:1234567"], pins=[7])])
KEYPAD = replace(PLAN.devices["kp-1"], profile=load("keypad-6"))
HALL = replace(PLAN, devices={**PLAN.devices, "kp-1": KEYPAD}, staff=STAFF.who(), pin_key=STAFF.key)


def read(run: Run, mark: str, ago_ms: int = 0) -> tuple[Emit, list[Order]]:
    outcome = run.sessions.login(KEYPAD, Heard(1, 1000, run.now - ago_ms, "x"), mark, run.now)
    run.take(outcome)
    [emit] = [emit for emit in outcome.emits if not emit.type.startswith("hall.window.")]
    return emit, outcome.orders


def test_a_card_logs_in_and_the_same_card_logs_out() -> None:
    run = Run(HALL)
    emit, [order] = read(run, "26:1234567")
    assert (emit.type, emit.data) == (
        "hall.staff.login",
        {"window": "1", "staff": "王芳", "by": "card"},
    )
    assert order == Order("kp-1", "login", {"ok": True})
    assert run.state.windows["1"].staff == "王芳"
    assert read(run, "pin:7")[0].type == "hall.staff.logout"
    assert run.state.windows["1"].staff is None


def test_an_unknown_card_is_counted_and_answered() -> None:
    run = Run(HALL)
    emit, [order] = read(run, "34:1234567")
    assert (emit.type, emit.data) == (
        "hall.staff.refused",
        {"window": "1", "by": "card", "reason": "unknown"},
    )
    assert order.args == {"ok": False}
    assert run.state.keypads["kp-1"].counts == {"refused_logins": {"unknown": 1}}
    assert run.state.windows["1"].staff is None


def test_pins_are_refused_after_five_wrong_ones_and_cards_are_not() -> None:
    run = Run(HALL)
    for code in range(100, 100 + WRONG_PINS):
        assert read(run, f"pin:{code}")[0].data["reason"] == "unknown"
    assert read(run, "pin:7")[0].data["reason"] == "locked"
    assert read(run, "26:1234567")[0].type == "hall.staff.login"
    for code in range(100, 100 + WRONG_PINS):
        read(run, f"pin:{code}")
    run.now += LOCKED_MS
    assert read(run, "pin:7")[0].type == "hall.staff.logout"


def test_a_login_that_comes_a_minute_late_does_nothing() -> None:
    run = Run(HALL)
    emit, orders = read(run, "26:1234567", ago_ms=60_001)
    assert (emit.data["reason"], orders) == ("late", [])
    assert run.state.windows["1"].staff is None


def test_a_keypad_with_a_reader_is_told_the_key_and_others_are_not() -> None:
    run = Run(HALL)
    assert run.view("kp-1")["pin_key"] == STAFF.key
    assert "pin_key" not in run.view("kp-2")
    session = run.serve()
    assert run.view("kp-1")["pin_key"] == STAFF.key
    assert run.view("kp-1")["session"] is not None
    assert session


async def test_the_keypad_is_answered_by_a_command(tmp_path: Path) -> None:
    async with open_hall(tmp_path, plan=HALL) as hall:
        keypad = Device("kp-1")
        card = {"bits": 26, "code": 1234567}
        assert await hall.core.event("kp-1", keypad.event("card", card))
        assert await hall.core.event("kp-1", keypad.event("pin", {"code": 8}))
        orders = [json.loads(o.body) for o in await hall.core.take_device_commands()]
        assert [(o["do"], o["args"]) for o in orders] == [
            ("login", {"ok": True}),
            ("login", {"ok": False}),
        ]
        for order in orders:
            reply: dict[str, object] = {"id": order["id"], "ok": True, "result": {}}
            assert await hall.core.reply("kp-1", json.dumps(reply).encode()) == order["id"]
        text = json.dumps(await hall.events(), ensure_ascii=False)
        assert "1234567" not in text
        assert [d["window"] for d in await hall.data("hall.staff.login")] == ["1"]


TOML = """hall = "demo"
store = { path = "hall.db" }
upstream = { host = "127.0.0.1" }
staff = { file = "staff.json" }
"""


def test_hall_staff_writes_what_the_gateway_reads(tmp_path: Path) -> None:
    (tmp_path / "hall.toml").write_text(TOML, encoding="utf-8")
    file = tmp_path / "staff.json"
    runner = CliRunner()

    def run(*arguments: str, input: str = "") -> str:
        done = runner.invoke(app, ["staff", *arguments, "--file", str(file)], input=input)
        assert done.exit_code == 0, done.output
        return done.output

    run("add", "王芳", "--card", "26:1234567", "--pin", input="4711\n")
    run("add", "李强", "--card", "34:99")
    assert file.stat().st_mode & 0o777 == 0o600
    assert "4711" not in file.read_text()
    staff = load_config(tmp_path / "hall.toml").staff
    assert staff is not None
    who = staff.known.who()
    assert who[f"pin:{staff.known.code('4711')}"] == who["26:1234567"] == "王芳"
    assert "4711" not in run("list")
    run("remove", "王芳")
    assert [member.id for member in read_staff(file).staff] == ["李强"]


def test_the_gateway_can_read_what_an_installer_wrote(tmp_path: Path) -> None:
    """Its keys are the gateway's, the folder itself is root's."""
    keys, file = tmp_path / "keys", tmp_path / "staff.json"
    keys.mkdir()
    if os.geteuid() == 0:
        os.chown(keys, 4242, 4242)
    done = CliRunner().invoke(app, ["staff", "add", "王芳", "--card", "34:99", "--file", str(file)])
    assert done.exit_code == 0, done.output
    assert f'once its hall.toml says: [staff] file = "{file}"' in done.output
    assert (file.stat().st_uid, file.stat().st_gid) == (keys.stat().st_uid, keys.stat().st_gid)


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0o600, "there is no such file; make it with: hall staff add"),
        ("{", 0o600, "not JSON"),
        ('{"key":"secret"}', 0o600, "key: not as hall staff writes it"),
        (STAFF.model_dump_json(), 0o644, "chmod"),
        (
            '{"key":"%s","staff":[{"id":"a","cards":["26:1"]},{"id":"b","cards":["26:1"]}]}'
            % ("0" * 32),
            0o600,
            "there twice",
        ),
    ],
)
def test_a_staff_file_that_cannot_be_used_is_said_so(
    tmp_path: Path, content: str | None, mode: int, words: str
) -> None:
    (tmp_path / "hall.toml").write_text(TOML, encoding="utf-8")
    file = tmp_path / "staff.json"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "hall.toml")
    assert words in str(error.value)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("card", ["26:0012345", "26:16777216", "34:4294967296", "35:1", "26:"])
def test_a_card_that_no_reader_can_say_is_refused_and_nothing_is_written(
    tmp_path: Path, card: str
) -> None:
    file = tmp_path / "staff.json"
    arguments = ["staff", "add", "王芳", "--card", card, "--file", str(file)]
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, UserError)
    assert done.exception.exit_code == os.EX_USAGE
    assert "without zeros before it" in str(done.exception)
    assert not file.exists()


def test_the_largest_cards_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "staff.json"
    cards = ["26:16777215", "34:4294967295"]
    arguments = [word for card in cards for word in ("--card", card)]
    done = CliRunner().invoke(app, ["staff", "add", "王芳", *arguments, "--file", str(file)])
    assert done.exit_code == 0, done.output
    assert read_staff(file).staff[0].cards == cards
