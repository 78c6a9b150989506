"""What a device tells of itself when parts of it are broken or missing."""

from pathlib import Path

from support import micropython

CASES = 3


def test_health_of_a_device_in_trouble():
    done = micropython.run(Path(__file__).with_name("mp_diagnosis.py"))
    assert done.output.count("ok ") == CASES, done.output
