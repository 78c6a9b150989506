"""boot.py, main.py and choose.py as they are, start after start, in the real MicroPython."""

import json
from pathlib import Path

from support import micropython

CASES = 23
HERE = Path(__file__)


def run(script: str, *arguments: str) -> str:
    return micropython.run(
        HERE.with_name(script),
        str(HERE.parents[2] / "firmware"),
        *arguments,
        path=[micropython.modules(), HERE.parents[1] / "support"],
        heap="8M",
        timeout=300,
    ).output


def test_what_starts_and_what_is_kept_of_it():
    output = run("mp_starting.py")
    assert output.count("\nok ") + output.startswith("ok ") == CASES, output


def test_whatever_happens_a_whole_slot_or_safe_mode_starts():
    counts = json.loads(run("mp_starting_cuts.py", "1").splitlines()[-1])
    print(counts)
    assert counts["cuts"] > 300
    assert all(counts.values())
