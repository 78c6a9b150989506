"""The `hall` command as a whole: what it offers, and what starting it costs."""

import subprocess
import sys

import pytest
from hall_tools.cli import app
from typer.testing import CliRunner

COMMANDS = ["profile", "firmware", "glyphs", "native", "bench", "sim", "gateway", "show", "demo"]


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
    assert done.exit_code == 2
    assert "Did you mean 'show'?" in done.output


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
