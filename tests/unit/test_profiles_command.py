"""`hall profile`: what a person and a script read, and the generated reference page."""

import json
from importlib import resources
from pathlib import Path

import pytest
from hall_profiles import builtin_names
from hall_tools.commands.profile import app
from hall_tools.errors import UserError
from typer.testing import CliRunner, Result

REPOSITORY = Path(__file__).parents[2]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "80"})


@pytest.fixture
def bad_keypad(tmp_path: Path) -> Path:
    """A keypad-5 with two slips."""
    source = resources.files("hall_device_profiles") / "keypad-5.yaml"
    text = source.read_text(encoding="utf-8").replace("key_1: 13", "key_1: 12")
    path = tmp_path / "keypad-5.yaml"
    path.write_text(text.replace("version: 1", "version: 0"), encoding="utf-8")
    return path


def test_check_without_a_file_checks_all_built_in_profiles() -> None:
    result = run("check")
    assert result.exit_code == 0
    assert [line.split(": ")[0] for line in result.output.splitlines()] == builtin_names()
    assert "keypad-5: good, keypad on esp32\n" in result.output


def test_check_prints_a_line_an_error_and_exits_65(bad_keypad: Path) -> None:
    result = run("check", str(bad_keypad), "keypad-3")
    assert result.exit_code == 65
    assert result.output.splitlines() == [
        f"{bad_keypad}:7: version: is 0; an integer from 1 to 9999",
        f"{bad_keypad}:27: pins.key_1: is GPIO 12, a strapping pin (flash voltage); "
        "one of 4, 13, 27, 32, 33",
        "keypad-3: good, keypad on esp32",
    ]


def test_check_tells_a_script_the_same_in_json(bad_keypad: Path) -> None:
    result = run("check", "--json", str(bad_keypad), "keypad-3")
    assert result.exit_code == 65
    bad, good = json.loads(result.output)
    assert good == {"profile": "keypad-3", "ok": True, "problems": []}
    assert bad["ok"] is False
    assert bad["problems"][0] == {
        "file": str(bad_keypad),
        "line": 7,
        "field": "version",
        "what": "is 0",
        "right": "an integer from 1 to 9999",
    }
    assert len(bad["problems"]) == 2


@pytest.mark.parametrize("name", builtin_names())
def test_show_fits_a_terminal_of_eighty_columns_without_cutting(name: str) -> None:
    result = run("show", name)
    assert result.exit_code == 0
    assert "…" not in result.output
    for line in result.output.splitlines():
        assert sum(2 if ord(char) > 0x2E80 else 1 for char in line.rstrip()) <= 80


def test_show_has_pins_events_desired_settings_and_views() -> None:
    words = " ".join(run("show", "call-display-p10-64x16").output.split())
    for part in (
        "ESP32-DevKitC V4 (WROOM-32E): esp32, 4 MB flash, PSRAM none",
        "oe 21",
        "oe_active high",
        "blink_s 3 s 0 to 10 s 新号闪烁时间 Blink of a new number",
        "shown 叫号已显示 Call shown rev integer 1 to 9999999999",
        "ttl_s integer 1 to 86400 s, optional",
        "call ticket, window",
    ):
        assert part in words


def test_show_json_is_the_profile() -> None:
    shown = json.loads(run("show", "keypad-5", "--json").output)
    assert shown["name"] == "keypad-5"
    assert shown["pins"]["buzzer"] == 26
    assert shown["settings"]["lock_s"]["title"]["zh"] == "改选时限"
    assert shown["events"]["press"]["data"]["key"] == {
        "nullable": False,
        "optional": False,
        "type": "integer",
        "min": 1,
        "max": 5,
    }


def test_show_of_a_profile_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UserError) as caught:
        CliRunner().invoke(app, ["show", "keypad5"], catch_exceptions=False)
    assert str(caught.value) == "keypad5: is no built-in profile; did you mean keypad-5?"
    assert caught.value.exit_code == 65


def test_list_names_every_profile_in_both_languages() -> None:
    output = run("list").output
    for name in builtin_names():
        assert f"{name} " in output
    assert "五键评价器" in output
    assert "Five-key rating keypad" in output
    listed = json.loads(run("list", "--json").output)
    assert [profile["name"] for profile in listed] == builtin_names()


def test_the_reference_page_is_what_the_profiles_say() -> None:
    committed = (REPOSITORY / "docs" / "reference" / "profiles.md").read_text(encoding="utf-8")
    assert run("docs").output == committed, "run: hall profile docs > docs/reference/profiles.md"
