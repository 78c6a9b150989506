"""The device's serial console: what it answers, what it takes no notice of, and who may ask."""

from pathlib import Path

from support import micropython

CASES = 13


def test_the_console_on_a_line_that_is_played():
    done = micropython.run(Path(__file__).with_name("mp_console.py"))
    assert done.output.count("ok ") == CASES, done.output
