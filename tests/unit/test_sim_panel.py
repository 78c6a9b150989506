"""The simulated panel shows what a waveform means, by a formula that is not its own.

`support.panel_model.position` was written from the panels' documentation for the tests of the
drivers; here it makes the waveforms.
"""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hall_profiles import compile_config, load
from support import micropython
from support.panel_model import LINES, position

HERE = Path(__file__).parent
Picture = list[list[bool]]


def config(name: str, **change: Any) -> dict[str, Any]:
    compiled: dict[str, Any] = compile_config(
        load(name), device="d-1", hall="demo", broker_host="127.0.0.1", broker_port=1
    )
    return {"driver": {**compiled["driver"], **change}, "pins": compiled["pins"]}


P10 = "call-display-p10-64x16"
F375 = "call-display-f375-64x32"
HUB75 = "call-display-hub75-64x32"
PANELS = {
    "hub12": config(P10),
    "hub12 two storeys": config(P10, height=32),
    "hub12 long, inverted": config(
        P10, width=128, oe_active="low", data_active="high", lat_active="low"
    ),
    "hub08": config(F375),
    "hub08 one line": config(F375, height=16),
    "hub08 inverted": config(F375, oe_active="high", data_active="high", lat_active="low"),
    "hub75": config(HUB75),
    "hub75 chain": config(HUB75, width=128),
}


def draw(panel: dict[str, Any], seed: int) -> Picture:
    chance = random.Random(seed)
    width, height = size(panel)
    return [[chance.random() < 0.3 for _ in range(width)] for _ in range(height)]


def steps(panel: dict[str, Any]) -> int:
    return 1 << len(LINES[panel["driver"]["name"]][2])


def words(panel: dict[str, Any], picture: Picture, step: int) -> list[int]:
    """What goes out on the data lines for one scan step, clock by clock."""
    driver, pins = panel["driver"], panel["pins"]
    lines = LINES[driver["name"]][3]
    data = sum(1 << pins[name] for part in lines for name in part if name in pins)
    dark = 0 if driver["data_active"] == "high" else data
    rows = driver["height"] // steps(panel) if driver["name"] == "hub12" else 1
    sent = [dark] * (driver["width"] * rows)
    for y, row in enumerate(picture):
        for x, lit in enumerate(row):
            at, part, clock = position(driver["name"], driver["width"], x, y)
            if lit and at == step:
                sent[clock] ^= 1 << pins[lines[part][0]]
    return sent


def scan(panel: dict[str, Any], picture: Picture, rows: list[int] | None = None) -> list[dict]:
    moves: list[dict[str, Any]] = []
    for step in range(steps(panel)) if rows is None else rows:
        shift = {"shift": words(panel, picture, step)}
        moves += [shift, {"row": step}, {"latch": 1}, {"light": 1}, {"light": 0}]
    return moves


def seen(panel: dict[str, Any], moves: list[dict[str, Any]]) -> list[list[str]]:
    job = json.dumps({**panel, "moves": moves})
    done = micropython.run(
        HERE / "mp_sim_panel.py", path=[micropython.simulation()], heap="16M", stdin=job
    )
    lines = [json.loads(line)["panel"] for line in done.output.splitlines()]
    assert all((line["w"], line["h"]) == size(panel) for line in lines)
    return [line["rows"] for line in lines]


def size(panel: dict[str, Any]) -> tuple[int, int]:
    return panel["driver"]["width"], panel["driver"]["height"]


def text(picture: Picture) -> list[str]:
    return [
        f"{int(''.join('1' if lit else '0' for lit in row), 2):0{len(row) // 4}x}"
        for row in picture
    ]


def blank(panel: dict[str, Any]) -> list[str]:
    width, height = size(panel)
    return ["0" * (width // 4)] * height


@pytest.mark.parametrize("name", PANELS)
def test_the_eye_sees_the_picture_of_the_waveform(name: str):
    panel = PANELS[name]
    first, second = draw(panel, 1), draw(panel, 2)
    moves = [*scan(panel, first), *scan(panel, first), *scan(panel, second), *scan(panel, second)]
    assert seen(panel, moves) == [text(first), text(second)]


def test_shift_registers_keep_the_last_bits_however_many_are_sent():
    panel = PANELS["hub08"]
    picture = draw(panel, 3)
    moves = scan(panel, picture)
    moves[0]["shift"] = [0, *moves[0]["shift"]]
    moves[5]["shift"] = words(panel, draw(panel, 4), 1)[:9] + moves[5]["shift"]
    assert seen(panel, moves) == [text(picture)]


def test_a_frame_that_stops_goes_dark_and_comes_back():
    panel = PANELS["hub12"]
    picture = draw(panel, 5)
    moves = [*scan(panel, picture), {"eye": 300_000}, *scan(panel, picture)]
    assert seen(panel, moves) == [text(picture), blank(panel), text(picture)]


def test_a_short_gap_is_not_seen():
    panel = PANELS["hub12"]
    moves = [*scan(panel, draw(panel, 5)), {"eye": 150_000}, *scan(panel, draw(panel, 5))]
    assert len(seen(panel, moves)) == 1


def test_a_row_that_is_never_lit_is_dark():
    panel = PANELS["hub12"]
    picture = draw(panel, 6)
    moves = [*scan(panel, picture, [0, 1, 3]), {"eye": 300_000}]
    expected = [row if y % 4 != 2 else "0" * 16 for y, row in enumerate(text(picture))]
    assert seen(panel, moves) == [expected]


def test_an_address_that_moves_while_lit_shows_a_ghost():
    panel = PANELS["hub12"]
    picture = draw(panel, 7)
    moves = scan(panel, picture)
    # Row 0 is still lit while the address goes on to row 1: the data of row 0 glow there too.
    assert moves[4] == {"light": 0}
    moves[4:4] = [{"row": 1}]
    ghost = [
        [a or b for a, b in zip(row, picture[y - 1], strict=True)] if y % 4 == 1 else row
        for y, row in enumerate(picture)
    ]
    assert seen(panel, moves) == [text(ghost)]


def test_a_row_left_on_is_seen_alone():
    panel = PANELS["hub12"]
    picture = draw(panel, 8)
    moves = [*scan(panel, picture, [2])[:-1], {"eye": 300_000}]
    expected = [row if y % 4 == 2 else "0" * 16 for y, row in enumerate(text(picture))]
    assert seen(panel, moves) == [expected]
