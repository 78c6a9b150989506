"""A simulated panel: the firmware's driver, the native scan, its log, and the eye on the host.

The eye (`hall_panel`) was written from the panels' documentation, and knows nothing of the tables
and descriptions by which the firmware makes the waveform.
"""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hall_profiles import builtin_names, compile_config, load
from hall_tools.image.vfs import SCANNED
from hall_tools.onlooker import Onlooker
from support import micropython

HERE = Path(__file__).parent


def config(profile: str, **change: Any) -> dict[str, Any]:
    compiled: dict[str, Any] = compile_config(
        load(profile), device="d-1", hall="demo", broker_host="127.0.0.1", broker_port=1
    )
    return {**compiled, "driver": {**compiled["driver"], **change}}


P10 = "call-display-p10-64x16"
F375 = "call-display-f375-64x32"
HUB75 = "call-display-hub75-64x32"
PANELS = {
    name: config(name)
    for name in builtin_names()
    if load(name).transport == "mqtt" and config(name)["driver"]["name"] in SCANNED
} | {
    "hub12 two storeys": config(P10, height=32, chain=4),
    "hub12 from below": config(P10, height=32, chain=4, storeys="bottom_first"),
    "hub12 long, inverted": config(
        P10, width=128, chain=4, oe_active="low", data_active="high", lat_active="low"
    ),
    "hub08 one line": config(F375, height=16),
    "hub08 inverted": config(F375, oe_active="high", data_active="high", lat_active="low"),
    "hub75 chain": config(HUB75, width=128, chain=2),
    "hub75 two storeys": config(HUB75, height=64, chain=2),
    "hub75 other rows": config(HUB75, row_order=[*range(8, 16), *range(8)]),
}


def planes(panel: dict[str, Any]) -> int:
    driver = panel["driver"]
    return 3 if driver["name"] == "hub75" else driver.get("colours", 1)


def draw(panel: dict[str, Any], seed: int) -> bytes:
    driver = panel["driver"]
    size = planes(panel) * driver["width"] * driver["height"] // 8
    return random.Random(seed).randbytes(size)


def rows(panel: dict[str, Any], picture: bytes) -> list[list[str]]:
    """The rows of each plane as hexadecimal digits."""
    row = panel["driver"]["width"] // 8
    plane = len(picture) // planes(panel)
    return [
        [picture[at : at + row].hex() for at in range(start, start + plane, row)]
        for start in range(0, len(picture), plane)
    ]


def told(panel: dict[str, Any], moves: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the device's process says.

    Before the moves a dark frame is played: the first one begins at other levels of the address
    lines than those that follow, and so differs from them.
    """
    done = micropython.run(
        HERE / "mp_sim_panel.py",
        path=[micropython.simulation(), micropython.modules()],
        stdin=json.dumps({"config": panel, "moves": [{"scan": 1}, *moves]}),
    )
    return [json.loads(line) for line in done.output.splitlines()][1:]


def seen(panel: dict[str, Any], lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the host's eye makes of that."""
    onlooker = Onlooker(panel)
    changes = [onlooker.see(line) for line in lines]
    return [change["panel"] for change in changes if change]


def show(picture: bytes, times: int = 2) -> list[dict[str, Any]]:
    return [{"show": picture.hex()}, {"scan": times}]


@pytest.mark.parametrize("name", PANELS)
def test_the_eye_sees_what_the_firmware_shows(name: str):
    panel = PANELS[name]
    first, second = draw(panel, 1), draw(panel, 2)
    lines = told(panel, [*show(first), *show(second)])
    assert len(lines) == 2, "a frame is told once"
    pictures = seen(panel, lines)
    driver = panel["driver"]
    for picture, drawn in zip(pictures, (first, second), strict=True):
        of_planes = rows(panel, drawn)
        assert (picture["w"], picture["h"]) == (driver["width"], driver["height"])
        assert picture.get("colours", [picture["rows"]]) == of_planes
        assert picture["rows"] == [union(same) for same in zip(*of_planes, strict=True)]


def union(same: tuple[str, ...]) -> str:
    """One row of all planes at once."""
    lit = 0
    for row in same:
        lit |= int(row, 16)
    return f"{lit:0{len(same[0])}x}"


def blank(panel: dict[str, Any]) -> bytes:
    return bytes(len(draw(panel, 0)))


def test_a_frame_that_stops_goes_dark_and_comes_back():
    panel = PANELS[P10]
    picture = draw(panel, 5)
    lines = told(panel, [*show(picture), {"eye": 300_000}, {"eye": 300_000}, {"scan": 1}])
    assert [line["scan"].get("dark") for line in lines] == [None, True, None]
    # Dark since 200 ms after the last of the two frames, whenever somebody looks.
    assert 0 <= lines[1]["t_us"] - lines[0]["t_us"] - 200_000 < 50_000
    assert [picture["rows"] for picture in seen(panel, lines)] == [
        rows(panel, picture)[0],
        rows(panel, blank(panel))[0],
        rows(panel, picture)[0],
    ]


def test_a_short_gap_is_not_seen():
    panel = PANELS[P10]
    assert len(told(panel, [*show(draw(panel, 5)), {"eye": 150_000}, {"scan": 1}])) == 1


def test_a_stall_is_told_by_the_next_frame_when_nobody_looked():
    panel = PANELS[P10]
    moves = [*show(draw(panel, 5)), {"sleep_ms": 250}, {"scan": 1}]
    assert [line["scan"].get("dark") for line in told(panel, moves)] == [None, True, None]


def test_a_picture_that_is_dark_is_no_change_for_who_saw_darkness():
    panel = PANELS[P10]
    lines = told(panel, [{"eye": 300_000}, {"scan": 1}])
    assert ["log" in line["scan"] for line in lines] == [False, True]
    assert seen(panel, lines) == []


def test_brightness_changes_the_frame_but_not_the_picture():
    panel = PANELS[HUB75]
    lines = told(panel, [*show(draw(panel, 6)), {"dim": 5}, {"scan": 2}, {"dim": 5}, {"scan": 2}])
    assert len(lines) == 2
    assert len(seen(panel, lines)) == 1


def test_blank_is_no_frame():
    panel = PANELS[F375]
    picture = draw(panel, 7)
    assert len(told(panel, [*show(picture), {"blank": 1}, {"scan": 1}])) == 1


def test_the_outputs_that_are_not_the_panels_keep_their_levels():
    panel = PANELS[F375]
    free = next(pin for pin in (13, 14, 32, 33) if pin not in panel["pins"].values())
    enable = panel["pins"]["en"]
    moves = [{"drive": [free, 1]}, *show(draw(panel, 8)), {"level": free}, {"level": enable}]
    moves += [{"drive": [free, 0]}, *show(draw(panel, 9)), {"level": free}]
    levels = [line["level"] for line in told(panel, moves) if "level" in line]
    assert levels == [1, int(panel["driver"]["oe_active"] == "low"), 0]


def test_darkness_is_a_change_for_who_saw_a_picture():
    panel = PANELS[P10]
    onlooker = Onlooker(panel)
    (line,) = told(panel, show(draw(panel, 10)))
    off = {"t_us": line["t_us"] + 5, "scan": {"dark": True}}
    assert onlooker.see({**off, "t_us": line["t_us"] - 5}) is None
    assert onlooker.see(line)
    # The frame's light is still going on: it is seen right after.
    change = onlooker.see(off)
    assert change
    assert change["t_us"] == line["t_us"] + 5
    assert change["panel"]["rows"] == rows(panel, blank(panel))[0]
    assert onlooker.see(off) is None


def test_a_log_that_breaks_off_is_refused():
    panel = PANELS[P10]
    (line,) = told(panel, show(draw(panel, 11)))
    line["scan"]["log"] = line["scan"]["log"][:-8]
    with pytest.raises(ValueError, match="scan log"):
        Onlooker(panel).see(line)
