"""The `hall` command as a whole: what it offers, and what starting it costs."""

import os
import subprocess
import sys

import pytest
from hall_tools.cli import app
from typer.testing import CliRunner

COMMANDS = [
    *("gateway", "enroll", "flash", "label", "replace", "revoke", "staff", "doctor", "diag"),
    *("demo", "show", "sim", "profile", "image", "firmware", "glyphs", "native", "bench"),
]


def test_help_names_every_command():
    lines = CliRunner().invoke(app, ["--help"]).output.splitlines()
    named = [words[1] for words in map(str.split, lines) if words[:1] == ["│"] and len(words) > 1]
    assert [name for name in named if name in COMMANDS] == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_its_help(name: str):
    done = CliRunner().invoke(app, [name, "--help"])
    assert done.exit_code == 0
    assert f"hall {name}" in done.output


def test_a_slip_is_met_with_the_right_name():
    done = CliRunner().invoke(app, ["shwo"])
    assert done.exit_code == os.EX_USAGE
    assert "Did you mean 'show'?" in done.output


@pytest.mark.parametrize(
    "wrong", [[], ["revoke"], ["flash", "--nosuch"], ["diag", "events", "--last", "0"]]
)
def test_wrong_usage_is_sysexits_own_code(wrong: list[str]):
    assert run("import sys", *wrong).returncode == os.EX_USAGE


def test_what_no_command_thought_of_is_a_line_all_the_same():
    raising = "import hall_tools.commands.show as show; show.show = lambda: {}"
    full = "(_ for _ in ()).throw(OSError(28, 'No space left on device', '/var/x.png'))"
    done = run(raising.format(full), "show")
    assert (done.returncode, done.stderr) == (
        os.EX_IOERR,
        "hall: /var/x.png: No space left on device\n",
    )
    denied = full.replace("28, 'No space left on device'", "13, 'Permission denied'")
    assert run(raising.format(denied), "show").returncode == os.EX_NOPERM
    done = run(raising.format("__import__('hall_profiles').load('/none/my.yaml')"), "show")
    assert done.returncode == os.EX_DATAERR
    assert done.stderr.startswith("hall: /none/my.yaml: ")
    assert len(done.stderr.splitlines()) == 1


def run(before: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`hall` in a process of its own, after some lines of Python."""
    argv = ["hall", *arguments]
    code = f"import sys; sys.argv = {argv}; {before}; from hall_tools.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_command_starts_without_what_others_need():
    code = (
        "import sys, atexit; from hall_tools.cli import main;"
        "sys.argv = ['hall', 'profile', '--help'];"
        "atexit.register(lambda: print(sorted(sys.modules), file=sys.stderr)); main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'hall_tools.commands.profile'" in done.stderr
    for heavy in ("PIL", "hall_panel", "hall_gateway", "elftools", "hall_tools.commands.show"):
        assert f"'{heavy}'" not in done.stderr
