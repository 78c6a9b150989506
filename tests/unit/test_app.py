"""The device's application, a part at a time: what it does when a part of it fails."""

from pathlib import Path

from support import micropython

CASES = 5


def test_a_part_that_fails_does_not_take_the_rest_with_it(tmp_path: Path):
    (tmp_path / "flash.bin").write_bytes(b"\xff" * 4096)
    done = micropython.run(
        Path(__file__).with_name("mp_app.py"),
        str(tmp_path / "flash.bin"),
        str(tmp_path / "rtc.bin"),
        path=[micropython.modules(), micropython.simulation()],
    )
    assert done.output.count("\nok ") + done.output.startswith("ok ") == CASES, done.output
