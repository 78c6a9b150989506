"""What a display shows, dot by dot: rendered in the real MicroPython, compared with golden files.

A golden file was looked at by a person before it was committed. When a picture changes on purpose,
the failing test shows the new one, which has to be looked at in turn.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hall_firmware.hall.glyphs import GlyphPack
from hall_tools.mpy import firmware_root
from support import micropython

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
GLYPHS = str(firmware_root() / "hall" / "glyphs.bin")
MORNING = 1_790_040_840_000  # 2026-09-22 09:34 in China

Job = tuple[int, int, dict[str, Any] | None, dict[str, Any]]


def render(jobs: list[Job]) -> list[tuple[str, Any]]:
    """Each display's picture, a line a row of dots and plane by plane, and what is told of it."""
    lines = [
        json.dumps(
            {
                "glyphs": GLYPHS,
                "columns": columns,
                "rows": rows,
                "colours": 1,
                "desired": desired,
                "at": 0,
                "unix": None,
                "identify": False,
                "blink_s": 0,
                **more,
            }
        )
        for columns, rows, desired, more in jobs
    ]
    done = micropython.run(HERE / "mp_display.py", stdin="".join(line + "\n" for line in lines))
    pictures: list[tuple[str, Any]] = []
    picture = ""
    for line in done.output.splitlines(keepends=True):
        if line.startswith("{"):
            pictures.append((picture, json.loads(line)))
            picture = ""
        else:
            picture += line
    assert len(pictures) == len(jobs), done.output
    return pictures


def call(ticket: str, window: str) -> dict[str, Any]:
    return {"rev": 1, "view": "call", "ticket": ticket, "window": window}


def text(words: str) -> dict[str, Any]:
    return {"rev": 1, "view": "text", "text": words}


def idle(name: str) -> dict[str, Any]:
    return {"rev": 1, "view": "idle", "name": name}


CLOSED = {"rev": 1, "view": "closed"}
CAUTION = {"rev": 1, "view": "caution"}
TEST = {"rev": 1, "view": "test"}
CLOCK = {"unix": MORNING}

PICTURES: dict[str, Job] = {
    "call-64x16": (64, 1, call("A015", "3"), {}),
    "call-64x32": (64, 2, call("A015", "3"), {}),
    "call-64x32-window-12": (64, 2, call("B108", "12"), {}),
    "call-96x32": (96, 2, call("A015", "3"), {}),
    "call-128x16": (128, 1, call("A015", "12"), {}),
    "idle-64x16": (64, 1, idle("综合业务"), {}),
    "idle-64x16-name": (64, 1, idle("综合业务"), CLOCK | {"at": 4960}),
    "idle-64x16-clock": (64, 1, idle("综合业务"), CLOCK | {"at": 5000}),
    "idle-64x16-long": (64, 1, idle("高压新装增容"), CLOCK | {"at": 4000}),
    "idle-64x32": (64, 2, idle("综合业务"), {}),
    "idle-64x32-clock": (64, 2, idle("综合业务"), CLOCK),
    "idle-64x32-long": (64, 2, idle("高压新装增容"), CLOCK | {"at": 2000}),
    "idle-128x16": (128, 1, idle("综合业务"), {}),
    "idle-128x16-clock": (128, 1, idle("综合业务"), CLOCK),
    "closed-64x16": (64, 1, CLOSED, {}),
    "closed-64x32": (64, 2, CLOSED, {}),
    "closed-128x16": (128, 1, CLOSED, {}),
    "caution-64x16": (64, 1, CAUTION, {}),
    "caution-64x32": (64, 2, CAUTION, {}),
    "caution-128x16": (128, 1, CAUTION, {}),
    "wait-64x16": (64, 1, None, {}),
    "wait-64x32": (64, 2, None, {}),
    "wait-128x16": (128, 1, None, {}),
    "text-64x16-held": (64, 1, text("今日停电检修"), {"at": 1000}),
    "text-64x16-scrolled": (64, 1, text("今日停电检修"), {"at": 2000}),
    "text-64x16-round": (64, 1, text("今日停电检修"), {"at": 4400}),
    "text-64x16-missing": (64, 1, text("a喆b\x07"), {}),
    "text-64x16-symbols": (64, 1, text("℃①Ⅷ→"), {}),
    "text-64x32-wrapped": (64, 2, text("今日8:30停电检修"), {}),
    "text-128x16": (128, 1, text("今日停电检修"), {}),
    "test-64x16": (64, 1, TEST, {}),
    "test-64x16-opposite": (64, 1, TEST, {"at": 1000}),
    "test-64x16-line": (64, 1, TEST, {"at": 2000}),
    "test-64x16-on": (64, 1, TEST, {"at": 3000}),
    "test-64x32": (64, 2, TEST, {}),
    "test-64x32-line": (64, 2, TEST, {"at": 2000}),
    "test-128x16": (128, 1, TEST, {}),
    "test-128x16-line": (128, 1, TEST, {"at": 2000}),
    "identify-64x16": (64, 1, call("A015", "3"), {"identify": True}),
}


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    """All pictures, of one MicroPython."""
    pictures = render(list(PICTURES.values()))
    return {name: picture for name, (picture, _) in zip(PICTURES, pictures, strict=True)}


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_the_golden_one(name: str, rendered: dict[str, str]):
    assert rendered[name] == (GOLDEN / f"{name}.txt").read_text("utf-8")


def test_every_golden_file_is_compared():
    assert {path.stem for path in GOLDEN.glob("*-*x*.txt")} == set(PICTURES)


def test_text_of_spaces_leaves_its_rows_dark():
    jobs: list[Job] = [
        (64, 1, text(" "), {}),
        (64, 2, idle(" "), CLOCK),
        (64, 2, text("         中国"), {}),
    ]
    (blank, _), (clock, _), (below, _) = render(jobs)
    assert "#" not in blank
    for picture in (clock, below):
        rows = picture.splitlines()
        assert "#" not in "".join(rows[:16])
        assert "#" in "".join(rows[16:])


def test_missing_glyphs_are_counted_each_once_however_often_they_are_shown():
    unknown = idle("喆a喆\x07")
    jobs: list[Job] = [
        (64, 1, text("a喆b\x07"), {}),
        (64, 1, unknown, CLOCK | {"at": 130_000}),
        (64, 1, call("A015", "3"), {}),
    ]
    assert [told["state"]["missing"] for _, told in render(jobs)] == [2, 2, 0]


def test_a_picture_is_drawn_when_it_changes_and_not_for_each_frame():
    scrolling = text("今日停电检修")
    jobs: list[Job] = [
        (64, 2, call("A015", "3"), {"at": 10_000}),
        (64, 2, idle("综合业务"), CLOCK | {"at": 60_000}),
        (64, 2, TEST, {"at": 3999}),
        (64, 1, scrolling, {"at": 999}),
        (64, 1, scrolling, {"at": 2200}),
    ]
    # 1.2 s of scrolling, a pixel in 30 ms, are seen in 30 frames of 40 ms.
    assert [told["drawn"] for _, told in render(jobs)] == [1, 2, 4, 1, 31]


def test_in_the_dark_half_of_a_blink_the_picture_is_empty_and_not_scanned():
    """Both, because a panel that scans itself is dark only without a picture."""
    blink = {"blink_s": 3, "colours": 2}
    jobs: list[Job] = [
        (64, 1, call("A015", "3"), blink | {"at": at}) for at in (240, 280, 480, 520)
    ]
    (first, told), *others = render(jobs)
    dark = first.replace("#", ".")
    assert told["lit"]
    assert first != dark
    assert [(picture, told["lit"]) for picture, told in others] == [
        (dark, False),
        (dark, False),
        (first, True),
    ]


def test_the_templates_are_exactly_as_wide_as_the_panels():
    """The glyphs', and the first and the last column that is lit: nothing is cut or off the middle.
    The last Hanzi of each template leaves up to three columns of its own sixteen dark."""
    pack = GlyphPack(GLYPHS)
    for line, name, columns in (
        ("请A015号", "call-64x16", 64),
        ("请A015号到12窗口", "call-128x16", 128),
    ):
        assert sum(pack.width(char) for char in line) == columns
        rows = (GOLDEN / f"{name}.txt").read_text("utf-8").split()
        lit = [x for row in rows for x, dot in enumerate(row) if dot == "#"]
        assert min(lit) <= 1
        assert max(lit) >= columns - 4


@pytest.mark.parametrize(
    ("desired", "colours", "planes"),
    [
        (call("A015", "3"), 2, "#."),
        (idle("综合业务"), 2, ".#"),
        (text("今日停电"), 2, "##"),
        (call("A015", "3"), 3, "#.."),
        (idle("综合业务"), 3, ".#."),
        (text("今日停电"), 3, "##."),
        (TEST, 3, "###"),
    ],
)
def test_a_view_is_drawn_in_the_planes_of_its_colour(
    desired: dict[str, Any], colours: int, planes: str
):
    (mono, _), (picture, _) = render([(64, 1, desired, {}), (64, 1, desired, {"colours": colours})])
    dark = mono.replace("#", ".")
    assert "#" in mono
    assert picture == "".join(mono if plane == "#" else dark for plane in planes)


@pytest.mark.parametrize("colours", [1, 2, 3])
def test_the_test_pictures_light_every_led_of_every_colour_and_let_it_be_dark(colours: int):
    cycle = 3 + colours
    jobs: list[Job] = [
        (64, 2, TEST, {"colours": colours, "at": 1000 * phase}) for phase in range(cycle + 1)
    ]
    pictures = [picture.replace("\n", "") for picture, _ in render(jobs)]
    assert len(pictures[0]) == 64 * 32 * colours
    assert all({"#", "."} == set(led) for led in zip(*pictures[:2], strict=True))
    for colour, picture in enumerate(pictures[3:cycle]):
        size = 64 * 32
        lit = [picture[at : at + size] for at in range(0, len(picture), size)]
        assert lit == ["#" * size if at == colour else "." * size for at in range(colours)]
    assert pictures[cycle] == pictures[0]


def test_the_line_goes_through_every_row_and_column():
    jobs: list[Job] = [(64, rows, TEST, {"at": 2000}) for rows in (1, 2, 4)]
    jobs.append((32, 4, TEST, {"at": 2000}))
    for picture, _ in render(jobs):
        rows = picture.split()
        lit = [(x, y) for y, row in enumerate(rows) for x, dot in enumerate(row) if dot == "#"]
        assert {x for x, _ in lit} == set(range(len(rows[0])))
        assert {y for _, y in lit} == set(range(len(rows)))
        assert len(lit) == max(len(rows), len(rows[0]))
