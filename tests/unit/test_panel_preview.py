"""Previews: what the firmware draws in MicroPython is what the eye sees of the stores."""

from pathlib import Path
from typing import Any

import pytest
from hall_panel import max7219
from hall_panel.digits_png import HEIGHT, RIM, WIDTH, Digits, render
from hall_panel.picture import Picture
from hall_panel.preview import draw, preview
from hall_profiles import load
from hall_tools import gallery
from PIL import Image

GOLDEN = Path(__file__).parent / "golden"
MORNING = 1_790_040_840_000  # 2026-09-22 09:34 in China
P10, P10_LONG, F375, HUB75, MATRIX, DIGITS = (
    f"call-display-{name}"
    for name in (
        "p10-64x16",
        "p10-128x16",
        "f375-64x32",
        "hub75-64x32",
        "max7219-64x16",
        "7seg-max7219",
    )
)
RED, GREEN, BLUE = range(3)


def config(profile: str, /, **driver: Any) -> dict[str, Any]:
    config = gallery.preview_config(load(profile))
    return {**config, "driver": {**config["driver"], **driver}}


def call(ticket: str, window: str) -> dict[str, Any]:
    return {"rev": 1, "view": "call", "ticket": ticket, "window": window}


def text(words: str) -> dict[str, Any]:
    return {"rev": 1, "view": "text", "text": words}


def view(name: str) -> dict[str, Any]:
    return {"rev": 1, "view": name}


IDLE = {"rev": 1, "view": "idle", "name": "综合业务"}


def dots(picture: Picture | Digits, plane: int | None = None) -> str:
    """As in the golden files, of one colour or of any."""
    assert isinstance(picture, Picture)
    rows = picture.rows() if plane is None else picture.rows(plane)
    lines = [f"{int(row, 16):0{picture.width}b}" for row in rows]
    return "".join(line.replace("0", ".").replace("1", "#") + "\n" for line in lines)


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.txt").read_text("utf-8")


# Golden files of what the firmware draws in the real MicroPython (test_display_golden).
SAME: list[tuple[str, dict[str, Any] | None, int | None, int, str]] = [
    (P10, call("A015", "3"), None, 0, "call-64x16"),
    (P10, None, None, 0, "wait-64x16"),
    (P10, text("今日停电检修"), None, 2000, "text-64x16-scrolled"),
    (P10, IDLE, MORNING, 5000, "idle-64x16-clock"),
    (P10, view("test"), None, 1000, "test-64x16-opposite"),
    (P10_LONG, call("A015", "12"), None, 0, "call-128x16"),
    (P10_LONG, IDLE, MORNING, 0, "idle-128x16-clock"),
    (F375, call("A015", "3"), None, 0, "call-64x32"),
    (F375, view("closed"), None, 0, "closed-64x32"),
    (F375, text("今日8:30停电检修"), None, 0, "text-64x32-wrapped"),
    (HUB75, call("B108", "12"), None, 0, "call-64x32-window-12"),
    (HUB75, IDLE, MORNING, 0, "idle-64x32-clock"),
    (HUB75, view("caution"), None, 0, "caution-64x32"),
    (HUB75, view("test"), None, 2000, "test-64x32-line"),
    (MATRIX, call("A015", "3"), None, 0, "call-64x16"),
    (MATRIX, view("test"), None, 2000, "test-64x16-line"),
]


@pytest.mark.parametrize(
    ("profile", "desired", "unix_ms", "after_ms", "name"),
    SAME,
    ids=[f"{profile} {name}" for profile, *_, name in SAME],
)
def test_the_eye_sees_what_micropython_draws(profile, desired, unix_ms, after_ms, name):
    picture = draw(config(profile), desired, unix_ms=unix_ms, after_ms=after_ms)
    assert dots(picture) == golden(name)


@pytest.mark.parametrize(
    ("desired", "colours"),
    [
        (call("A015", "3"), {RED}),
        (view("closed"), {RED}),
        (IDLE, {GREEN}),
        (text("请先取号"), {RED, GREEN}),
        (view("caution"), {RED, GREEN}),
        (None, {RED, GREEN}),
        (view("test"), {RED, GREEN, BLUE}),
    ],
)
def test_each_view_has_its_colour(desired, colours):
    picture = draw(config(HUB75), desired)
    seen = {plane for plane in (RED, GREEN, BLUE) if "#" in dots(picture, plane)}
    assert seen == colours
    assert {dots(picture, plane) for plane in colours} == {dots(picture)}


def test_a_red_and_green_panel_shows_green():
    both = config(F375, colours=2)
    both["pins"] = {**both["pins"], "g1": 4, "g2": 13}
    picture = draw(both, IDLE, unix_ms=MORNING)
    assert dots(picture, GREEN) == golden("idle-64x32-clock")
    assert "#" not in dots(picture, RED)


def test_a_new_call_blinks_and_its_lit_half_is_shown():
    blinking = config(P10)
    assert blinking["settings"]["blink_s"] > 0
    for after_ms in range(0, 1000, 50):
        picture = draw(blinking, call("A015", "3"), after_ms=after_ms)
        assert dots(picture) == golden("call-64x16")


def test_a_night_that_dims_the_panel_does_not_change_the_picture():
    dim = config(F375)
    dim["settings"] = {**dim["settings"], "night_from_h": 9, "night_to_h": 10}
    bright, dark = (draw(config, IDLE, unix_ms=MORNING) for config in (config(F375), dim))
    assert isinstance(bright, Picture)
    assert isinstance(dark, Picture)
    assert dark.planes == bright.planes
    assert dark.full_ns < bright.full_ns / 2


@pytest.mark.parametrize(
    ("profile", "desired", "unix_ms", "moves"),
    [
        (P10, call("A015", "3"), MORNING, False),
        (P10, IDLE, MORNING, True),
        (P10, IDLE, None, False),
        (F375, IDLE, MORNING, False),
        (P10, text("请先取号再排队"), None, True),
        (F375, text("请先取号再排队"), None, False),
        (P10, view("test"), None, True),
        (DIGITS, text("PAUSE 10"), None, False),
        (DIGITS, text("PAUSE 10.30"), None, True),
    ],
)
def test_a_picture_that_changes_by_itself_is_told(profile, desired, unix_ms, moves):
    assert preview(config(profile), desired, unix_ms=unix_ms).moves is moves


def test_what_it_has_no_glyph_for_is_counted():
    assert preview(config(P10), text("a喆b")).missing == 1
    assert preview(config(P10), text("ab")).missing == 0


def test_the_view_is_the_one_that_it_would_report():
    assert preview(config(P10), view("closed")).view == "closed"
    assert preview(config(P10), None).view == "wait"


@pytest.mark.parametrize(
    ("desired", "words"),
    [
        ({"rev": 1, "view": "call", "ticket": "A015"}, "view call needs window"),
        (view("advert"), "view must be one of"),
        (text("x" * 65), "text must be a text of at most 64 characters"),
    ],
)
def test_what_the_device_refuses_is_refused_in_its_words(desired, words):
    with pytest.raises(ValueError, match=words):
        draw(config(P10), desired)


def test_a_display_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="driver neon is not in this firmware"):
        draw(config(P10, name="neon"), None)
    with pytest.raises(ValueError, match="only pins 0 to 31"):
        draw({**config(P10), "pins": {**config(P10)["pins"], "clk": 33}}, None)


# Segments DP A B C D E F G from bit 7, written from a picture of the digits.
SEVEN = {" ": 0x00, "0": 0x7E, "1": 0x30, "3": 0x79, "5": 0x5B, "A": 0x77}


@pytest.mark.parametrize("digits", [8, 16])
def test_seven_segments_show_the_ticket_left_and_the_window_right(digits):
    picture = draw(config(DIGITS, digits=digits), call("A015", "3"))
    shown = "A015" + (digits - 5) * " " + "3"
    assert picture == Digits(bytes(SEVEN[character] for character in shown))


def chain_of(*words: int) -> max7219.Chain:
    """One chip that was sent these words."""
    chain = max7219.Chain(1)
    for word in words:
        chain.write(word.to_bytes(2, "big"))
        chain.load()
    return chain


@pytest.mark.parametrize(
    ("words", "segments", "duty"),
    [
        ((), 0, 0),
        ((0x0185, 0x0B07), 0, 0),  # shut down, as after power-up
        ((0x0185, 0x0B07, 0x0C01), 0x85, 1 / 32),
        ((0x0185, 0x0B07, 0x0C01, 0x0A0F), 0x85, 31 / 32),
        ((0x0185, 0x0B07, 0x0C01, 0x09FF), 0x80 | 0x5B, 1 / 32),  # decoded: 5 and the dot
        ((0x0185, 0x0B07, 0x0C01, 0x09FE), 0x85, 1 / 32),  # of the other digits
        ((0x0185, 0x0F01), 0xFF, 31 / 32),
        ((0x0185, 0x0B07, 0x0C01, 0x00FF), 0x85, 1 / 32),  # no operation
    ],
)
def test_a_max7219_lights_what_its_data_sheet_says(words, segments, duty):
    chip = chain_of(*words).chips[0]
    assert chip.segments(0) == segments
    assert chip.duty() == duty


def test_digits_beyond_the_scan_limit_are_dark():
    chip = chain_of(0x0C01, 0x0B02, 0x03FF, 0x04FF).chips[0]
    assert [chip.segments(digit) for digit in (2, 3)] == [0xFF, 0]


def test_what_is_sent_first_reaches_the_farthest_chip():
    chain = max7219.Chain(2)
    chain.write(bytes((0x01, 0xAA, 0x01, 0x55)))
    chain.load()
    assert [chip.registers[1] for chip in chain.chips] == [0x55, 0xAA]


def test_a_lit_segment_is_red_and_a_dark_one_can_just_be_seen(tmp_path):
    path = tmp_path / "digits.png"
    path.write_bytes(render(Digits(bytes((0x40, 0x00)))))  # segment A alone, and nothing
    image = Image.open(path).convert("RGB")
    assert image.size == (2 * RIM + 2 * WIDTH, HEIGHT)
    segment_a = [(RIM + WIDTH * place + 33, 14) for place in (0, 1)]
    lit, dark = (image.getpixel(at) for at in segment_a)
    assert isinstance(lit, tuple)
    assert isinstance(dark, tuple)
    assert lit[0] > 240 > 120 > max(lit[1:])
    assert 20 < max(dark) < 60
