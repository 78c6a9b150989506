"""Tasks that fail, hang and return, under the real supervisor in the real MicroPython."""

from pathlib import Path

from support import micropython

CASES = 8


def test_every_task_is_guarded_counted_and_watched():
    done = micropython.run(Path(__file__).with_name("mp_supervisor.py"))
    assert done.output.count("\nok ") + done.output.startswith("ok ") == CASES, done.output
