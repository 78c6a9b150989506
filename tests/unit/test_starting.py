"""boot.py and main.py as they are, start after start, in the real MicroPython: mp_starting.py."""

from pathlib import Path

from support import micropython

CASES = 23
HERE = Path(__file__)


def test_whatever_the_slots_do_the_device_starts_one_of_them_or_safe_mode():
    done = micropython.run(
        HERE.with_name("mp_starting.py"),
        str(HERE.parents[2] / "firmware"),
        "1",
        path=[micropython.modules(), HERE.parents[1] / "support"],
        heap="8M",
    )
    assert done.output.count("\nok ") == CASES, done.output
