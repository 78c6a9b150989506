"""The device's OSCORE (firmware/hall/oscore.py) in the real MicroPython."""

from pathlib import Path

from support import micropython

SCRIPT = Path(__file__).with_name("mp_oscore.py")


def test_the_vectors_of_rfc_8613():
    assert micropython.run(SCRIPT).output == "all\n"
