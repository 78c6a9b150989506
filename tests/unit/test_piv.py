"""The sequence numbers of a battery device (firmware/hall/piv.py) in the real MicroPython."""

import json
from pathlib import Path

import pytest
from support import micropython

SCRIPT = Path(__file__).with_name("mp_piv_cuts.py")
SUPPORT = SCRIPT.parents[1] / "support"


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_no_number_comes_twice_whatever_is_cut(seed: str) -> None:
    path = [micropython.modules(), SUPPORT]
    output = micropython.run(SCRIPT, seed, path=path, heap="2M", timeout=110).output
    counts = json.loads(output.splitlines()[-1])
    print(counts)
    assert counts["cuts"] > 200
    assert counts["crashes"] > 100
    assert counts["sleeps"] > 100, "and some lives end as they should"
    # A cut costs what was left of its block; a sleep and a crash cost nothing.
    assert counts["blocks"] <= counts["cuts"] + counts["sent"] / 8 + 100
