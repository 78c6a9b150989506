"""A battery device's request and what becomes of the response (firmware/hall/post.py)."""

from pathlib import Path

from support import micropython

SCRIPT = Path(__file__).with_name("mp_post.py")
SUPPORT = SCRIPT.parents[1] / "support"


def test_whatever_a_gateway_says():
    path = [micropython.modules(), SUPPORT]
    output = micropython.run(SCRIPT, "1", path=path, heap="2M").output
    taken, refused = map(int, output.split()[-2:])
    assert taken > 20
    assert refused > 100
