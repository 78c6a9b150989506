"""The simulated eye sees what was played, and says how well; `support.panel_player` plays."""

import gc
import random
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hall_panel.cable import Broken, Flash
from hall_panel.eye import HISTORY_NS, Eye
from hall_panel.figures import most_lit
from hall_panel.picture import Picture, of_light
from support.panel_player import REST, Player, driver, log, random_planes

MS = 1_000_000
INVERTED = {"oe_active": "high", "data_active": "high", "lat_active": "low"}
ORDER_16 = [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15]
DISPLAYS = {
    "hub12 module": driver("hub12", 32, 16),
    "hub12 chain": driver("hub12", 64, 16),
    "hub12 inverted": driver("hub12", 128, 16, **INVERTED | {"oe_active": "low"}),
    "hub12 storeys": driver("hub12", 64, 32, storeys="top_first"),
    "hub12 storeys from below": driver("hub12", 96, 64, storeys="bottom_first"),
    "hub12 row order": driver("hub12", 32, 32, row_order=[3, 1, 0, 2]),
    "hub08": driver("hub08", 64, 32),
    "hub08 two colours": driver("hub08", 64, 32, colours=2),
    "hub08 one line": driver("hub08", 128, 16),
    "hub08 one line, two colours": driver("hub08", 64, 16, colours=2),
    "hub08 inverted": driver("hub08", 64, 32, **INVERTED),
    "hub08 storeys": driver("hub08", 64, 64, colours=2),
    "hub08 storeys from below": driver("hub08", 128, 64, storeys="bottom_first"),
    "hub08 row order": driver("hub08", 64, 32, row_order=ORDER_16[::-1]),
    "hub75": driver("hub75", 64, 32),
    "hub75 chain": driver("hub75", 192, 32),
    "hub75 inverted": driver("hub75", 64, 32, **INVERTED | {"data_active": "low"}),
    "hub75 storeys": driver("hub75", 64, 64),
    "hub75 all": driver("hub75", 128, 64, storeys="bottom_first", row_order=ORDER_16, **INVERTED),
}
P10 = DISPLAYS["hub12 chain"]
PICTURE = random_planes(P10, 1)


def look(fields: dict[str, Any]) -> tuple[Eye, Player]:
    player = Player(fields)
    return Eye(fields, player.pins), player


# The picture.


@pytest.mark.parametrize("display", DISPLAYS)
def test_what_is_played_is_seen(display: str) -> None:
    fields = DISPLAYS[display]
    eye, player = look(fields)
    now = 0
    for seed, lit in enumerate((1, 100, 3000)):
        planes = random_planes(fields, seed)
        player.lit = lit
        now = eye.frame(player.frame(planes), now)
        picture = eye.picture()
        assert (picture.width, picture.height) == (fields["width"], fields["height"])
        assert picture.planes == planes
        assert picture.ghosts() == (0, 0)
    figures = eye.figures(0, cap=1)
    assert figures.broken == Broken()
    assert figures.spread == 0


def test_each_dot_is_seen_where_it_is_and_nowhere_else() -> None:
    eye, player = look(DISPLAYS["hub08 two colours"])
    size, now = 64 * 32 // 8, 0
    for plane, at in ((0, 0), (1, 511), (0, 2047), (1, 1024), (0, 65)):
        planes = [bytearray(size), bytearray(size)]
        planes[plane][at // 8] = 0x80 >> at % 8
        shown = tuple(map(bytes, planes))
        now = eye.frame(player.frame(shown), now)
        assert eye.picture().planes == shown


def test_other_outputs_of_the_chip_do_not_show() -> None:
    eye, player = look(P10)
    eye.frame(player.frame(PICTURE, other=1 << 2 | 1 << 31), 0)
    assert eye.picture().planes == PICTURE


def test_light_is_the_time_that_each_led_was_lit() -> None:
    eye, player = look(P10)
    player.lit = 640
    eye.frame(player.frame(PICTURE), 0)
    picture = eye.picture()
    # From the SET that lights over 640 pairs to the CLEAR that darkens (both of 50 ns).
    assert picture.full_ns == 640 * 100 + 50
    bits = f"{int.from_bytes(PICTURE[0], 'big'):01024b}"
    assert picture.light == (tuple(picture.full_ns * int(bit) for bit in bits),)


def test_the_last_frame_is_seen_alone_and_all_of_a_time_together() -> None:
    eye, player = look(P10)
    one, other = random_planes(P10, 1), random_planes(P10, 2)
    second = eye.frame(player.frame(one), 0)
    eye.frame(player.frame(other), second)
    assert eye.picture().planes == other
    both = eye.picture(0)
    assert set(both.light[0]) == {0, both.full_ns // 2, both.full_ns}
    lit_in_both = int.from_bytes(one[0], "big") & int.from_bytes(other[0], "big")
    assert int.from_bytes(both.planes[0], "big") == lit_in_both
    assert eye.picture(second).planes == other


def test_nothing_stored_is_a_dark_panel() -> None:
    eye, player = look(P10)
    assert eye.picture().planes == (bytes(128),)
    now = eye.frame(player.frame(PICTURE), 0)
    eye.rest(now + 200 * MS)
    assert eye.picture() == Picture(64, 16, (bytes(128),), ((0,) * 1024,), 0)
    eye.frame(log([]), now + 200 * MS)
    assert eye.picture().planes == (bytes(128),)


def test_rows_as_a_simulated_device_reports_them() -> None:
    light = [[[0, 9, 0, 9, 0, 0, 0, 0], [0] * 8], [[9] * 8, [0] * 7 + [5]]]
    picture = of_light(8, 2, light, 9)
    assert picture.rows() == ["ff", "01"]
    assert picture.rows(0) == ["50", "00"]
    assert picture.panel() == {
        "w": 8,
        "h": 2,
        "rows": ["ff", "01"],
        "colours": [["50", "00"], ["ff", "01"]],
    }
    assert of_light(8, 2, light[:1], 9).panel() == {"w": 8, "h": 2, "rows": ["50", "00"]}


def test_more_than_half_of_the_full_light_is_lit_and_less_a_ghost() -> None:
    picture = of_light(8, 1, [[[100, 51, 50, 49, 1, 0, 200, 100]]], 100)
    assert picture.planes == (bytes([0b11000011]),)
    assert picture.ghosts() == (3, 0.5)


# Ghosts, and rows that are not lit as the others.


def replaced(octets: bytes, old: Sequence[int], new: Sequence[int]) -> bytes:
    """The log with other entries where these stand first."""
    before, after = log(old)[4:], log(new)[4:]
    assert before in octets
    return octets.replace(before, after, 1)


def test_an_address_that_moves_before_the_light_is_off_makes_ghosts() -> None:
    eye, player = look(P10)
    player.lit = 256  # all clocks, so that nothing stands between light and address
    row_2 = player.select(2)
    octets = replaced(player.frame(PICTURE), [*player.off(), *row_2], [*row_2, *player.off()])
    eye.frame(octets, 0)
    picture = eye.picture()
    assert picture.planes == PICTURE
    # From 1 to 2 a falls first: for a store each, rows 0 and 2 of four show what row 1 has lit.
    ghosts = [
        _dot(x, y) < _dot(x, y // 4 * 4 + 1)
        for y in range(16)
        if y % 4 in (0, 2)
        for x in range(64)
    ]
    assert picture.ghosts() == (sum(ghosts), 50 / picture.full_ns)
    figures = eye.figures(0, cap=1)
    assert (figures.ghosts, figures.brightest_ghost) == picture.ghosts()
    assert figures.broken == Broken(address_while_lit=2)
    even = 256 * 100 + 50
    assert figures.spread == pytest.approx(50 / (even + 25))


def _dot(x: int, y: int) -> int:
    return PICTURE[0][(64 * y + x) // 8] >> 7 - x % 8 & 1


def test_a_row_that_is_lit_longer_shows_as_spread() -> None:
    eye, player = look(P10)
    player.lit = 1000
    long = replaced(player.frame(PICTURE), [REST, 1000 - 256], [REST, 1100 - 256])
    eye.frame(long, 0)
    assert eye.figures(0, cap=1).spread == pytest.approx(10_000 / (100_050 + 10_000 / 4))
    assert eye.picture().planes == PICTURE


def test_a_row_that_hardly_lights_is_dark() -> None:
    eye, player = look(P10)
    player.lit = 1000
    short = replaced(player.frame(PICTURE), [REST, 1000 - 256], [REST, 1])
    eye.frame(short, 0)
    row_0 = [index // 8 % 4 for index in range(128)]
    assert eye.picture().planes == (
        bytes(0 if row == 0 else octet for row, octet in zip(row_0, PICTURE[0], strict=True)),
    )


def test_a_row_that_is_lit_too_long_hides_no_other() -> None:
    eye, player = look(P10)
    player.lit = 1000
    eye.frame(replaced(player.frame(PICTURE), [REST, 1000 - 256], [REST, 20_000]), 0)
    assert eye.picture().planes == PICTURE


# Figures, and stalls of the event loop.


def play(eye: Eye, player: Player, starts: Sequence[int]) -> None:
    octets = player.frame(PICTURE)
    for start in starts:
        eye.frame(octets, start)


def test_figures_of_an_even_scan() -> None:
    eye, player = look(P10)
    player.lit = 2500
    play(eye, player, range(0, 1000 * MS, 10 * MS))
    eye.rest(1000 * MS)
    figures = eye.figures(0, cap=1 / 4)
    lit = 2500 * 100 + 50
    assert figures.refresh_hz == pytest.approx(100)
    assert figures.duty == pytest.approx(lit / (10 * MS))
    assert figures.spread == 0
    assert figures.longest_gap_ms == pytest.approx((10 * MS - lit) / MS)
    assert figures.longest_lit_ms == pytest.approx(lit / MS)
    assert figures.stress == pytest.approx(10 * lit / (100 * MS))
    assert (figures.rows_over_cap, figures.ghosts, figures.brightest_ghost) == (0, 0, 0)
    assert figures.broken == Broken()
    # The cap is the caller's.
    assert eye.figures(0, cap=0.0250).rows_over_cap == 4
    assert eye.figures(0, cap=0.0251).rows_over_cap == 0


@pytest.mark.parametrize("stall_ms", [5, 20, 200, 1500])
def test_a_stall_between_frames_is_a_gap_and_no_stress(stall_ms: int) -> None:
    eye, player = look(P10)
    player.lit = 2500
    late = (500 + stall_ms) * MS
    play(eye, player, [*range(0, 500 * MS, 10 * MS), *range(late, late + 500 * MS, 10 * MS)])
    figures = eye.figures(0, cap=1 / 4)
    lit = 2500 * 100 + 50
    assert figures.longest_gap_ms == pytest.approx(10 + stall_ms - lit / MS)
    assert figures.refresh_hz == pytest.approx(99 / (0.99 + stall_ms / 1000))
    assert figures.stress <= 10 * lit / (100 * MS)
    assert figures.longest_lit_ms == pytest.approx(lit / MS)
    assert figures.rows_over_cap == 0
    assert figures.spread == 0


@pytest.mark.parametrize("stall_ms", [5, 20, 200, 1500])
def test_a_row_that_is_left_lit_in_a_stall_is_stress(stall_ms: int) -> None:
    eye, player = look(P10)
    player.lit = 2500
    whole = player.frame(PICTURE)
    cut = whole[: whole.rindex(log(player.off())[4:])]
    start = eye.frame(whole, 0) + 10 * MS
    end = eye.frame(cut, start)
    eye.rest(end + stall_ms * MS)
    stuck = Picture(*_row_3(eye.picture()))
    assert eye.picture() == stuck
    eye.frame(whole, end + stall_ms * MS)
    figures = eye.figures(0, cap=1 / 4)
    assert figures.longest_lit_ms == pytest.approx(stall_ms + 0.25005, abs=0.001)
    assert figures.stress == pytest.approx(min((stall_ms + 0.75) / 100, 1), abs=0.001)
    assert figures.rows_over_cap == (stall_ms > 25)
    assert figures.spread > 1


def _row_3(picture: Picture) -> tuple[int, int, tuple[bytes], tuple[tuple[int, ...]], int]:
    """What is left of PICTURE when only the last of four addresses is lit."""
    full = picture.full_ns
    octets = bytes(octet if at // 8 % 4 == 3 else 0 for at, octet in enumerate(PICTURE[0]))
    light = tuple(full * int(bit) for bit in f"{int.from_bytes(octets, 'big'):01024b}")
    return 64, 16, (octets,), (light,), full


def test_the_rate_is_that_of_the_row_lit_least_often() -> None:
    eye, player = look(P10)
    turns = [[*player.select(step), *player.on(), *player.off()] for step in range(4)]
    for index in range(101):
        shown = turns[1:] if index % 2 else turns
        eye.frame(log([word for turn in shown for word in turn]), index * 10 * MS)
    assert eye.figures(0, cap=1).refresh_hz == pytest.approx(50)


def test_figures_may_begin_and_end_within_a_flash() -> None:
    eye, player = look(P10)
    eye.frame(log(player.on()), 0)
    eye.rest(1000)
    figures = eye.figures(600, cap=1)
    assert figures.longest_lit_ms == pytest.approx(400 / MS)
    assert figures.duty == 1 / 4  # of four rows one was always lit
    assert eye.picture(600).full_ns == 400


def test_what_is_before_and_after_the_frames_counts_as_gap() -> None:
    eye, player = look(P10)
    start = eye.frame(player.frame(PICTURE), 300 * MS)
    eye.rest(start + 400 * MS)
    figures = eye.figures(0, cap=1)
    assert figures.longest_gap_ms == pytest.approx(400, abs=0.2)
    assert figures.refresh_hz == 0  # once is no rate
    assert eye.figures(start, cap=1).longest_gap_ms == 400
    assert eye.figures(start, cap=1).duty == 0


def test_a_panel_without_light_has_figures_too() -> None:
    eye, _ = look(P10)
    eye.rest(1000 * MS)
    figures = eye.figures(0, cap=0)
    assert (figures.refresh_hz, figures.duty, figures.spread, figures.stress) == (0, 0, 0, 0)
    assert (figures.longest_gap_ms, figures.longest_lit_ms) == (1000, 0)
    assert figures.rows_over_cap == 0


@pytest.mark.parametrize("seed", range(20))
def test_the_most_that_a_row_is_lit_in_any_window(seed: int) -> None:
    chance = random.Random(seed)
    edges = sorted(chance.sample(range(200), 2 * chance.randrange(1, 20)))
    row = list(zip(edges[::2], edges[1::2], strict=True))
    lit = [any(start <= ns < end for start, end in row) for ns in range(-300, 500)]
    window = chance.randrange(1, 250)
    brute = max(sum(lit[at : at + window]) for at in range(len(lit) - window))
    assert most_lit(row, window) == brute
    assert most_lit([], window) == 0


# What the eye refuses.


def test_a_broken_log_is_not_seen_at_all() -> None:
    eye, player = look(P10)
    end = eye.frame(player.frame(PICTURE), 0)
    with pytest.raises(ValueError, match="scan log: "):
        eye.frame(player.frame(random_planes(P10, 2))[:-4], end)
    assert eye.picture().planes == PICTURE
    assert eye.frame(log([]), end) == end


def test_time_does_not_go_back() -> None:
    eye, player = look(P10)
    end = eye.frame(player.frame(PICTURE), 1000)
    for early in (
        lambda: eye.frame(player.frame(PICTURE), end - 1),
        lambda: eye.rest(end - 1),
    ):
        with pytest.raises(ValueError, match=f"cannot see {end - 1} ns after {end} ns"):
            early()
    with pytest.raises(ValueError, match=re.escape(f"nothing seen since {end} ns")):
        eye.figures(end, cap=1)


def test_its_memory_is_bounded() -> None:
    eye, player = look(P10)
    octets = player.frame(PICTURE)
    for second in range(60):
        eye.frame(octets, second * 1000 * MS)
    gc.collect()
    mine = [flash for flash in gc.get_objects() if isinstance(flash, Flash)]
    assert len(mine) == 4 * HISTORY_NS // (1000 * MS)


def test_it_forgets_what_is_long_ago() -> None:
    eye, player = look(P10)
    first = eye.frame(player.frame(PICTURE), 0)
    eye.rest(HISTORY_NS)
    assert eye.picture(0).planes == PICTURE
    eye.rest(HISTORY_NS + first)
    for forgotten in (lambda: eye.picture(0), lambda: eye.figures(0, cap=1)):
        with pytest.raises(ValueError, match="eye: forgot 0 ns, remembers 10 s"):
            forgotten()
    assert eye.picture(first).planes == (bytes(128),)
