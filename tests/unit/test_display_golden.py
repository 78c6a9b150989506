"""What a display shows, dot by dot: rendered in the real MicroPython, compared with golden files.

A golden file was looked at by a person before it was committed. When a picture changes on purpose,
the failing test shows the new one, which has to be looked at in turn.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hall_tools.mpy import firmware_root
from support import micropython

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"


def render(columns: int, rows: int, desired: dict[str, Any] | None, **more: Any) -> tuple[str, Any]:
    """The picture, a line a row of dots, and the role's state."""
    job = {
        "glyphs": str(firmware_root() / "hall" / "glyphs.bin"),
        "columns": columns,
        "rows": rows,
        "desired": desired,
        "at": 0,
        "identify": False,
        **more,
    }
    done = micropython.run(HERE / "mp_display.py", stdin=json.dumps(job) + "\n")
    *picture, state = done.output.splitlines()
    return "\n".join(picture) + "\n", json.loads(state)


def call(ticket: str, window: str) -> dict[str, Any]:
    return {"rev": 1, "view": "call", "ticket": ticket, "window": window}


def text(words: str) -> dict[str, Any]:
    return {"rev": 1, "view": "text", "text": words}


PICTURES: dict[str, tuple[int, int, dict[str, Any] | None, dict[str, Any]]] = {
    "call-64x16": (64, 1, call("A015", "3"), {}),
    "call-128x16": (128, 1, call("A015", "12"), {}),
    "call-64x32": (64, 2, call("A015", "3"), {}),
    "call-64x32-window-12": (64, 2, call("B108", "12"), {}),
    "call-96x32": (96, 2, call("A015", "3"), {}),
    "wait-64x16": (64, 1, None, {}),
    "wait-64x32": (64, 2, None, {}),
    "closed-64x16": (64, 1, {"rev": 1, "view": "closed"}, {}),
    "caution-64x16": (64, 1, {"rev": 1, "view": "caution"}, {}),
    "idle-64x16": (64, 1, {"rev": 1, "view": "idle", "name": "综合业务"}, {}),
    "text-64x32-wrapped": (64, 2, text("今日8:30停电检修"), {}),
    "text-64x16-held": (64, 1, text("今日停电检修"), {"at": 1000}),
    "text-64x16-scrolled": (64, 1, text("今日停电检修"), {"at": 2000}),
    "text-64x16-round": (64, 1, text("今日停电检修"), {"at": 4400}),
    "text-64x16-missing": (64, 1, text("a喆b\x07"), {}),
    "text-64x16-symbols": (64, 1, text("℃①Ⅷ→"), {}),
    "test-64x16": (64, 1, {"rev": 1, "view": "test"}, {}),
    "test-64x16-opposite": (64, 1, {"rev": 1, "view": "test"}, {"at": 1000}),
    "identify-64x16": (64, 1, call("A015", "3"), {"identify": True}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_the_golden_one(name):
    columns, rows, desired, more = PICTURES[name]
    picture, _ = render(columns, rows, desired, **more)
    assert picture == (GOLDEN / f"{name}.txt").read_text("utf-8")


def test_every_golden_file_is_compared():
    assert {path.stem for path in GOLDEN.glob("*-*x*.txt")} == set(PICTURES)


def test_missing_glyphs_are_counted():
    assert render(64, 1, text("a喆b\x07"))[1]["missing"] == 2
    assert render(64, 1, call("A015", "3"))[1]["missing"] == 0


def test_the_templates_are_exactly_as_wide_as_the_panels():
    """The first and the last column that is lit: nothing is cut or off the middle. The last Hanzi
    of each template leaves up to three columns of its own sixteen dark."""
    for name, columns in (("call-64x16", 64), ("call-128x16", 128)):
        rows = (GOLDEN / f"{name}.txt").read_text("utf-8").split()
        lit = [x for row in rows for x, dot in enumerate(row) if dot == "#"]
        assert min(lit) <= 1
        assert max(lit) >= columns - 4
