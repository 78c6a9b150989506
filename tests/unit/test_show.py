"""`hall show`: what a person sees in the terminal, in a PNG, and on the docs' page."""

import io
import json
import os
import re
from pathlib import Path

import pytest
from hall_tools import cli, gallery
from hall_tools.errors import UserError
from PIL import Image
from typer.testing import CliRunner, Result

REPOSITORY = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
PAGE = REPOSITORY / "docs" / "displays.md"
PICTURES = REPOSITORY / "docs" / "images" / "displays"
LED = 8  # pixels, and as many of rim
F375, P10, HUB75, DIGITS = (
    f"call-display-{name}" for name in ("f375-64x32", "p10-64x16", "hub75-64x32", "7seg-max7219")
)
CALL = ("--ticket", "A015", "--window", "3")


def run(*arguments: str, columns: int = 80) -> Result:
    return CliRunner().invoke(cli.app, ["show", *arguments], env={"COLUMNS": str(columns)})


def shown(*arguments: str, columns: int = 80) -> str:
    result = run(*arguments, columns=columns)
    assert result.exit_code == 0, result.exception
    return result.output


def refused(*arguments: str) -> UserError:
    error = run(*arguments).exception
    assert isinstance(error, UserError), error
    return error


def golden(name: str) -> list[str]:
    return (GOLDEN / f"{name}.txt").read_text("utf-8").split()


def half_blocks(output: str, rows: int) -> list[str]:
    """The rows of LEDs that the first lines of `output` show."""
    lit = {" ": "..", "▀": "#.", "▄": ".#", "█": "##"}
    lines = output.splitlines()[: rows // 2]
    return ["".join(lit[char][half] for char in line) for line in lines for half in (0, 1)]


def test_a_png_has_a_round_led_for_every_dot(tmp_path):
    path = tmp_path / "new" / "out.png"
    output = shown("--profile", F375, *CALL, "--png", str(path))
    assert output == f"{path}: {path.stat().st_size:,} bytes\n"
    assert path.stat().st_size < 10_000
    image = Image.open(path).convert("RGB")
    assert image.size == ((64 + 2) * LED, (32 + 2) * LED)
    for y, row in enumerate(golden("call-64x32")):
        for x, dot in enumerate(row):
            corner = (x + 1) * LED, (y + 1) * LED
            red, green, blue = pixel(image, corner[0] + LED // 2, corner[1] + LED // 2)
            assert (red > 240 and green < 60 and blue < 60) == (dot == "#"), (x, y)
            assert (red == green < 40) == (dot == "."), (x, y)
            assert max(pixel(image, *corner)) < 40, "no square"


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, int, int]:
    red, green, blue = image.getpixel((x, y))  # type: ignore[misc]
    return red, green, blue


def test_without_a_file_it_is_drawn_in_the_terminal():
    output = shown("--profile", F375, *CALL)
    assert half_blocks(output, 32) == golden("call-64x32")
    assert len(output.splitlines()) == 16


def test_colours_go_to_a_terminal_that_has_them(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    red, yellow = "38;2;255;74;61", "38;2;255;201;51"
    call, caution = (
        shown("--profile", HUB75, *options) for options in (CALL, ("--view", "caution"))
    )
    assert red in call
    assert yellow not in call
    assert yellow in caution
    assert red not in caution


def test_a_narrow_terminal_gets_braille():
    lines = shown("--profile", F375, "--view", "closed", columns=40).splitlines()
    assert [len(line) for line in lines] == [32] * 8
    assert all("\u2800" <= char <= "\u28ff" for line in lines for char in line)
    # Of each 2 x 4 LEDs, Unicode's bit for each.
    bits = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
    rows = [
        "".join("#" if ord(char) & bit else "." for char in line for bit in two)
        for line in lines
        for two in bits
    ]
    assert rows == golden("closed-64x32")


def test_seven_segments_are_drawn_as_digits():
    assert shown("--profile", DIGITS, *CALL).splitlines() == [
        "  _   _       _               _  ",
        " |_| | |   | |_               _| ",
        " | | |_|   |  _|              _| ",
    ]


@pytest.mark.parametrize(
    ("options", "view"),
    [
        (CALL, "call"),
        (("--text", "请先取号"), "text"),
        (("--name", "综合业务"), "idle"),
        (("--view", "caution", "--text", "小心台阶"), "caution"),
        (("--view", "wait"), "wait"),
    ],
)
def test_the_view_is_told_by_the_other_options(options, view):
    result = json.loads(shown("--profile", F375, *options, "--json"))
    assert result["view"] == view
    assert result["missing"] == 0
    assert result["moves"] is False
    assert result["png"] is None
    assert (result["panel"]["w"], result["panel"]["h"]) == (64, 32)
    assert len(result["panel"]["rows"]) == 32


def test_json_of_seven_segments_has_their_segments():
    result = json.loads(shown("--profile", DIGITS, *CALL, "--json"))
    assert result["segments"] == [0x77, 0x7E, 0x30, 0x5B, 0, 0, 0, 0x79]


def test_the_idle_clock_shows_the_time_that_is_given():
    options = ("--profile", F375, "--name", "综合业务", "--at")
    assert half_blocks(shown(*options, "09:34"), 32) == golden("idle-64x32-clock")
    assert half_blocks(shown(*options, "9:35"), 32) != golden("idle-64x32-clock")


def test_what_moves_and_what_has_no_glyph_is_told():
    output = shown("--profile", P10, "--text", "今日停电检修", "--after", "2")
    assert half_blocks(output, 16) == golden("text-64x16-scrolled")
    assert output.splitlines()[8:] == ["It moves: --after SECONDS shows it later."]
    (note,) = shown("--profile", P10, "--text", "a喆b").splitlines()[8:]
    assert note == "1 character is not in the display's font and drawn as a box."
    (note,) = shown("--profile", F375, "--text", "喆囧喆").splitlines()[16:]
    assert note.startswith("2 characters are not")


@pytest.mark.parametrize(
    ("options", "words", "exit_code"),
    [
        ((), "--profile is missing; right: one of call-display-", os.EX_USAGE),
        ((), "call-display-hub75-64x32-pi, ", os.EX_USAGE),
        (("--profile", "call-display-f375"), "call-display-f375-64x32", os.EX_DATAERR),
        (("--profile", "keypad-5", *CALL), "keypad-5 is no call display; ", os.EX_DATAERR),
        (("--profile", F375), "nothing to show; right: --ticket and --window, ", os.EX_USAGE),
        (("--profile", F375, "--ticket", "A015"), "view call needs --window", os.EX_USAGE),
        (("--profile", F375, "--view", "idle"), "view idle needs --name", os.EX_USAGE),
        (
            ("--profile", F375, "--view", "wait", "--text", "x"),
            "view wait does not take --text",
            os.EX_USAGE,
        ),
        (("--profile", F375, "--text", ""), 'text is ""; right: 1 to 64', os.EX_DATAERR),
        (
            ("--profile", F375, "--name", "x", "--at", "24:00"),
            "--at 24:00 is no time of day; right: 00:00 to 23:59",
            os.EX_USAGE,
        ),
        (
            ("--profile", F375, *CALL, "--png", "/dev/null/out.png"),
            "/dev/null/out.png: cannot be written: ",
            os.EX_CANTCREAT,
        ),
        (
            ("--all-views", "/dev/null", "--view", "test"),
            "--all-views takes no other option but --profile",
            os.EX_USAGE,
        ),
        (("--all-views", "/dev/null"), "/dev/null/", os.EX_CANTCREAT),
    ],
)
def test_what_is_wrong_is_said_in_one_line(options, words, exit_code):
    error = refused(*options)
    assert words in str(error)
    assert "\n" not in str(error)
    assert error.exit_code == exit_code


def test_a_profile_of_ones_own_is_shown_with_the_views_that_it_has(tmp_path):
    source = (REPOSITORY / "device_profiles" / f"{P10}.yaml").read_text("utf-8")
    path = tmp_path / f"{P10}.yaml"
    path.write_text(
        source.replace(
            "enum: [idle, call, closed, text, caution, test]}\n  ticket",
            "enum: [idle, call, closed, text, test]}\n  ticket",
        ).replace("  caution: {may: [text]}\n", "")
    )
    assert "has no view caution; right: idle, call, closed, text, test" in str(
        refused("--profile", str(path), "--view", "caution")
    )
    files = json.loads(shown("--profile", str(path), "--all-views", str(tmp_path), "--json"))
    assert sorted(files) == sorted(str(file) for file in tmp_path.glob("*.png"))
    assert len(files) == 8
    assert not [file for file in files if "caution" in file]


@pytest.mark.parametrize("display", gallery.displays(), ids=lambda display: display.name)
def test_the_pictures_in_the_docs_are_those_of_the_firmware(display):
    """When a picture changes on purpose: `hall show --all-views docs/images/displays`, and look."""
    for name, content in gallery.pictures(display):
        now, kept = (Image.open(file) for file in (io.BytesIO(content), PICTURES / name))
        assert now.convert("RGB").tobytes() == kept.convert("RGB").tobytes(), name


def test_every_picture_is_on_the_docs_page_once():
    drawn = [name for display in gallery.displays() for name, _ in gallery.pictures(display)]
    on_page = re.findall(r"\]\(images/displays/([^)]+)\)", PAGE.read_text("utf-8"))
    assert sorted(on_page) == sorted(drawn)
    assert sorted(path.name for path in PICTURES.iterdir()) == sorted(drawn)
